"""What is counted and timed while the service works."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Literal, Protocol

from delineate.domain.errors import PromptCancelled
from delineate.domain.session import Change

PromptOutcome = Literal["done", "cancelled", "failed", "refused"]
"""``refused``: never queued. Prompts that share a run each count."""


class Meter(Protocol):
    """Is told what happened. Nothing that it is told identifies a patient, a series or a user."""

    def prompt_ended(self, kind: str, outcome: PromptOutcome) -> None:
        """Count a prompt of that kind."""

    def model_ran(self, *, queue_s: float, model_s: float, passes: int) -> None:
        """Time a model run: how long its first prompt waited, how long it took, how many forward passes it had."""

    def patch_made(self, nbytes: int) -> None:
        """Note the size of a patch's voxels as they are sent."""

    def volume_loaded(self, *, cached: bool, seconds: float) -> None:
        """Note that somebody was given a volume: from the cache, or fetched from the archive in that time."""

    def preload_ended(self, outcome: Literal["ready", "failed"], seconds: float) -> None:
        """Time a preload from its turn to its end."""


class NoMeter:
    """Counts nothing."""

    def prompt_ended(self, kind: str, outcome: PromptOutcome) -> None:
        """Ignore it."""

    def model_ran(self, *, queue_s: float, model_s: float, passes: int) -> None:
        """Ignore it."""

    def patch_made(self, nbytes: int) -> None:
        """Ignore it."""

    def volume_loaded(self, *, cached: bool, seconds: float) -> None:
        """Ignore it."""

    def preload_ended(self, outcome: Literal["ready", "failed"], seconds: float) -> None:
        """Ignore it."""


def outcome_of(future: Future[Change]) -> PromptOutcome:
    """Return how a queued prompt ended."""
    error = future.exception()
    if error is None:
        return "done"
    return "cancelled" if isinstance(error, PromptCancelled) else "failed"
