"""Series that are read before they are opened."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from delineate.domain.preload import PreloadOrder, PreloadRecord
from delineate.http.dependencies import Parts, User
from delineate.http.problems import recorded_problem
from delineate.http.schemas import Request, Uid

router = APIRouter(prefix="/preloads", tags=["preloads"])

Series = Annotated[Uid, Path()]


class RequestPreload(Request):
    """Body of ``PUT /delineate/preloads/{series_instance_uid}``."""

    study_instance_uid: Uid
    volume: Annotated[str, Field(max_length=200)] | None = None
    background: bool = False
    """Nobody looks at the series now: those that somebody looks at go first."""


class PreloadReply(BaseModel):
    """How far a series is."""

    state: Literal["waiting", "loading", "ready", "failed"]
    done: int
    """Instances."""
    total: int
    """Instances; 0 while it is not known."""
    bytes: int
    problem: dict[str, Any] | None
    """Why it failed: a problem document (RFC 9457)."""

    @classmethod
    def of(cls, record: PreloadRecord) -> PreloadReply:
        """Make the reply of a record."""
        done, total, size = record.progress
        problem = None if record.problem is None else recorded_problem(record.problem)
        return cls(state=record.state, done=done, total=total, bytes=size, problem=problem)


@router.put("/{series_instance_uid}", status_code=202)
def request(series_instance_uid: Series, body: RequestPreload, parts: Parts, _user: User) -> PreloadReply:
    """Have a series read into the cache; what is under way or there already is not read twice."""
    order = PreloadOrder(body.study_instance_uid, series_instance_uid, body.volume)
    return PreloadReply.of(parts.preloads.request(order, urgent=not body.background))


@router.get("/{series_instance_uid}")
def read(series_instance_uid: Series, parts: Parts, _user: User) -> PreloadReply:
    """Read how far a series is."""
    return PreloadReply.of(parts.preloads.get(series_instance_uid))


@router.delete("/{series_instance_uid}", status_code=204)
def cancel(series_instance_uid: Series, parts: Parts, _user: User) -> Response:
    """Do not read a series ahead after all; a session that waits for it gets it, and what is in the cache stays."""
    parts.preloads.cancel(series_instance_uid)
    return Response(status_code=204)
