"""What a session calls in place of its network: a turn on the shared device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from delineate.adapters.nninteractive.pass_scheduler import PassScheduler
from delineate.domain.errors import PromptCancelled

Network = Callable[[torch.Tensor], torch.Tensor]
"""From input (1, channels, k, j, i) to logits (1, 2, k, j, i)."""


@dataclass(slots=True)
class NetworkTurns:
    """Hands each forward pass of one engine to the scheduler, unless the run was cancelled.

    Attributes
    ----------
    cancelled
        Asked before each pass, and again when its turn comes.
    passed
        Called with each pass's logits, on the engine's thread.
    passes
        How many passes there were since it was last set to 0.
    """

    network: Network
    scheduler: PassScheduler
    user: str
    cancelled: Callable[[], bool] | None = None
    passed: Callable[[torch.Tensor], None] | None = None
    passes: int = 0

    def __call__(self, patch: torch.Tensor) -> torch.Tensor:
        """Return the network's answer, once it is the user's turn."""
        self._check()
        logits = self.scheduler.run(self.user, lambda: self._forward(patch))
        self.passes += 1
        if self.passed is not None:
            self.passed(logits)
        return logits

    def _forward(self, patch: torch.Tensor) -> torch.Tensor:
        self._check()
        logits = self.network(patch)
        if logits.is_cuda:
            # Without it a session would queue its whole job on the device, ahead of everybody else's next pass.
            torch.cuda.synchronize(logits.device)
        return logits

    def _check(self) -> None:
        if self.cancelled is not None and self.cancelled():
            raise PromptCancelled("The prompt was cancelled; the segment is as it was before.")
