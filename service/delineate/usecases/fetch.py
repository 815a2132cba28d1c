"""A volume on its way from the archive, and all who wait for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from delineate.domain.ports import Progress


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    """One who waits."""

    progress: Progress
    cancelled: Callable[[], bool]
    """Whether it wants the volume no more."""
    urgent: bool
    """Whether it is a user."""


@dataclass(slots=True, eq=False)
class Fetch:
    """A volume on its way, and all who wait for it."""

    waiting: list[Waiter] = field(default_factory=list)
    last: tuple[int, int, int] | None = None
    """How far it is: instances done, in all, bytes."""
    here: bool = False
    """Whether a thread of this process fetches it, not another process."""
    turn: bool = False
    """Whether one of those who wait has a turn at the archive for it."""

    @property
    def urgent(self) -> bool:
        """Whether a user waits."""
        return any(waiter.urgent for waiter in tuple(self.waiting))

    @property
    def unwanted(self) -> bool:
        """Whether nobody wants it any more."""
        return all(waiter.cancelled() for waiter in tuple(self.waiting))

    def tell(self, done: int, total: int, size: int) -> None:
        """Tell all who wait how far it is."""
        self.last = (done, total, size)
        for waiter in tuple(self.waiting):
            waiter.progress(done, total, size)
