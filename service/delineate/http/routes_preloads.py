"""Series that are read into memory before they are opened."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from delineate.domain.errors import DelineateError
from delineate.http.dependencies import Parts, User
from delineate.http.problems import internal_fault, problem_document
from delineate.http.schemas import Request, Uid
from delineate.usecases.preload_series import Preload

router = APIRouter(prefix="/preloads", tags=["preloads"])

Series = Annotated[Uid, Path()]


class RequestPreload(Request):
    """Body of ``PUT /delineate/preloads/{series_instance_uid}``."""

    study_instance_uid: Uid
    volume: Annotated[str, Field(max_length=200)] | None = None


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
    def of(cls, preload: Preload) -> PreloadReply:
        """Make the reply of a preload."""
        done, total, size = preload.progress
        match preload.error:
            case None:
                problem = None
            case DelineateError() as error:
                problem = problem_document(error)
            case _:
                problem = internal_fault()
        return cls(state=preload.state, done=done, total=total, bytes=size, problem=problem)


@router.put("/{series_instance_uid}", status_code=202)
def request(series_instance_uid: Series, body: RequestPreload, parts: Parts, _user: User) -> PreloadReply:
    """Have a series read into memory; what is under way or there already is not read twice."""
    return PreloadReply.of(parts.preloads.request(body.study_instance_uid, series_instance_uid, body.volume))


@router.get("/{series_instance_uid}")
def read(series_instance_uid: Series, parts: Parts, _user: User) -> PreloadReply:
    """Read how far a series is."""
    return PreloadReply.of(parts.preloads.get(series_instance_uid))
