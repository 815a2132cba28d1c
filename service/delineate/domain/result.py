"""An accepted segmentation on its way into the archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ResultStage = Literal["encoding", "storing", "verifying"]
ResultState = Literal["encoding", "storing", "verifying", "stored", "waiting", "failed"]

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 300.0

RESULT_TRANSITIONS: Mapping[ResultState, tuple[ResultState, ...]] = {
    "encoding": ("storing", "waiting", "failed"),
    "storing": ("verifying", "waiting", "failed"),
    "verifying": ("stored", "waiting", "failed"),
    "waiting": ("encoding", "storing", "verifying"),
    "failed": ("encoding", "storing", "verifying"),
    "stored": (),
}
"""``waiting`` and ``failed`` go back to the stage that they came from."""


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


def retry_delay_s(attempts: int) -> float:
    """Return how long to wait after that many failed tries: doubling, bounded."""
    return min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** max(0, attempts - 1))
