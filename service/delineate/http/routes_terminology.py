"""What a segment can be: coded concepts, searched in English."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from delineate.domain.terminology import Terminology
from delineate.http.dependencies import Parts, User
from delineate.http.terminology_replies import TerminologyReply

router = APIRouter(tags=["terminology"])

LONGEST_QUERY = 200
MOST_ENTRIES = 200


@router.get("/terminology")
def search(
    parts: Parts,
    _user: User,
    q: Annotated[str, Query(max_length=LONGEST_QUERY, description="Words, or beginnings of words")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = 20,
    among: Annotated[
        Literal["types", "regions"], Query(description="What a segment is, or the anatomic region that a finding is in")
    ] = "types",
) -> TerminologyReply:
    """List the names that match, the best first; common ones for an empty query; with types, the site's presets too."""
    terminology: Terminology = parts.terminology if among == "types" else parts.regions
    return TerminologyReply.of(terminology.search(q, limit=limit), terminology.presets(q)[:limit])
