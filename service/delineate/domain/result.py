"""An accepted segmentation on its way into the archive, and the documents that follow it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ResultStage = Literal["encoding", "storing", "verifying"]
ResultState = Literal["encoding", "storing", "verifying", "stored", "waiting", "failed"]
DocumentKind = Literal["measurements", "prompts"]
"""A report of the segments' measurements; a record of the prompts that they were made from."""
DocumentState = Literal["pending", "stored", "failed"]

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 300.0

RESULT_TRANSITIONS: Mapping[ResultState, tuple[ResultState, ...]] = {
    "encoding": ("storing", "waiting", "failed"),
    "storing": ("verifying", "waiting", "failed"),
    "verifying": ("stored", "waiting", "failed"),
    "waiting": ("encoding", "storing", "verifying"),
    "failed": ("encoding", "storing", "verifying"),
    "stored": ("verifying",),
}
"""``waiting`` and ``failed`` go back to the stage that they came from, ``stored`` for documents that failed."""


@dataclass(frozen=True, slots=True)
class ResultDocument:
    """A DICOM SR that follows the SEG; that it failed takes nothing from the SEG."""

    kind: DocumentKind
    series_instance_uid: str
    sop_instance_uid: str
    state: DocumentState = "pending"
    reason: str | None = None
    """Why it failed."""
    problem: str | None = None
    """Name of the error behind the reason."""
    coerced: tuple[str, ...] = ()


def document_of(segmentation_sop_instance_uid: str, kind: DocumentKind) -> ResultDocument:
    """Return the document of a SEG, which takes its UIDs from the SEG's.

    So whoever knows the SEG, of this installation or another, finds the document, and a repeated try is the same one.
    """
    made = uuid.uuid5(uuid.NAMESPACE_OID, f"{segmentation_sop_instance_uid}/{kind}")
    return ResultDocument(kind, f"2.25.{uuid.uuid5(made, 'series').int}", f"2.25.{made.int}")


@dataclass(frozen=True, slots=True)
class Result:
    """The state of an accepted segmentation; durable before each try."""

    id: str
    session: str
    user: str
    state: ResultState
    stage: ResultStage
    """The stage that is under way, or that a waiting or failed result will go back to."""
    study_instance_uid: str
    series_instance_uid: str
    """Of the SEG."""
    sop_instance_uid: str
    created_at: float
    attempts: int = 0
    """Tries of the present stage that did not succeed."""
    next_try_at: float | None = None
    """Seconds since the epoch, when waiting."""
    reason: str | None = None
    """Why it is waiting or failed."""
    problem: str | None = None
    """Name of the error behind the reason."""
    coerced: tuple[str, ...] = ()
    """DICOM keywords that the archive changed in the stored instance, without harm."""
    segmentation_stored: bool = False
    """Whether the SEG itself was read back equal; the documents may still be on their way."""
    documents: tuple[ResultDocument, ...] = ()
    predecessor: str | None = None
    """SOP Instance UID of the segmentation of which this is the next version."""
    sop_class_uid: str = "1.2.840.10008.5.1.4.1.1.66.4"
    """Of the SEG."""
    findings: tuple[str, ...] = ()
    """Tracking UIDs of its segments."""
    version_checked: bool = True
    """Whether it is known that nobody has stored a newer version than the predecessor, or that the user knows of it."""
    known_versions: tuple[str, ...] = ()
    """SOP Instance UIDs of newer versions that its session had accepted before, or the user wants to store beside."""

    @property
    def failed_documents(self) -> tuple[ResultDocument, ...]:
        """The documents that were given up."""
        return tuple(document for document in self.documents if document.state == "failed")


def retry_delay_s(attempts: int) -> float:
    """Return how long to wait after that many failed tries: doubling, bounded."""
    return min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** max(0, attempts - 1))
