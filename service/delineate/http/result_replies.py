"""What an accept is asked for with, and what is answered of its result."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from delineate.domain.result import Result, ResultDocument
from delineate.http.schemas import Request, Uid


class Accept(Request):
    """Body of ``POST .../accept``."""

    segments: Annotated[list[int], Field(min_length=1)] | None = None
    series_description: Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\\\x00-\x1f]+$")] | None = None
    encoding: Literal["BINARY", "LABELMAP"] = "BINARY"
    known_versions: Annotated[tuple[Uid, ...], Field(max_length=1000)] = ()
    """SOP Instance UIDs of newer versions of the segmentation, to store this one beside them."""


class ResultDocumentReply(BaseModel):
    """A DICOM SR that follows the SEG; that it failed takes nothing from the SEG."""

    kind: Literal["measurements", "prompts"]
    state: Literal["pending", "stored", "failed"]
    series_instance_uid: str
    sop_instance_uid: str
    reason: str | None
    """Why it failed."""
    problem: str | None
    coerced: list[str]

    @classmethod
    def of(cls, document: ResultDocument) -> ResultDocumentReply:
        """Make the reply of a document."""
        return cls(
            kind=document.kind,
            state=document.state,
            series_instance_uid=document.series_instance_uid,
            sop_instance_uid=document.sop_instance_uid,
            reason=document.reason,
            problem=document.problem,
            coerced=list(document.coerced),
        )


class ResultReply(BaseModel):
    """An accepted segmentation on its way into the archive."""

    id: str
    session: str
    state: Literal["encoding", "storing", "verifying", "stored", "waiting", "failed"]
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    attempts: int
    next_try_at: float | None
    reason: str | None
    problem: str | None
    coerced: list[str]
    segmentation_stored: bool
    """Whether the SEG was read back equal; its documents may still be on their way."""
    documents: list[ResultDocumentReply]
    predecessor_sop_instance_uid: str | None
    """Of the segmentation of which this is the next version."""

    @classmethod
    def of(cls, result: Result) -> ResultReply:
        """Make the reply of a result."""
        return cls(
            id=result.id,
            session=result.session,
            state=result.state,
            study_instance_uid=result.study_instance_uid,
            series_instance_uid=result.series_instance_uid,
            sop_instance_uid=result.sop_instance_uid,
            attempts=result.attempts,
            next_try_at=result.next_try_at,
            reason=result.reason,
            problem=result.problem,
            coerced=list(result.coerced),
            segmentation_stored=result.segmentation_stored,
            documents=[ResultDocumentReply.of(document) for document in result.documents],
            predecessor_sop_instance_uid=result.predecessor,
        )
