"""How much this process takes on: engines, memory, open sessions, waiting prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from math import prod
from typing import Literal

from delineate.domain.errors import SegmenterBusy, TooManySessions
from delineate.domain.ports import Engine
from delineate.domain.volume import VolumePlan
from delineate.usecases.live import LiveSession

Shape = tuple[int, int, int]
"""Voxels (k, j, i)."""

Part = Literal["engine", "volume"]
"""What a session can be asked to give up."""

BYTES_PER_VOXEL = 4
"""Of a volume, and of what a model makes of it for all its engines: float32."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process takes on at most."""

    engines: int
    """Held at once."""
    memory_bytes: int
    """For engines and volumes. What alone is larger may still be held alone."""
    idle_s: float
    """A session that nobody touched for so long gives up its engine and volume even if there is room."""
    sessions: int
    """Open at once, parked ones included."""
    user_sessions: int
    """Open at once, of one user."""
    user_prompts: int
    """Of one user, waiting or running."""
    volumes_in_memory: bool
    """Whether volumes take memory of their own (or are files that the kernel can drop from memory)."""


class Capacity:
    """Decides who may hold an engine or a volume, and whom to park for it (port ``Room`` of the device's queue).

    Parameters
    ----------
    engine_bytes
        What an engine takes for a volume of a shape.
    sessions
        Returns every session of the process.
    clock
        Seconds since the epoch.
    """

    def __init__(
        self,
        limits: Limits,
        engine_bytes: Callable[[Shape], int],
        sessions: Callable[[], Iterable[LiveSession]],
        clock: Callable[[], float],
    ) -> None:
        self.limits = limits
        self._engine_bytes = engine_bytes
        self._sessions = sessions
        self._clock = clock

    def check_open(self, user: str) -> None:
        """Raise TooManySessions if the user, or everybody together, may open no further session now."""
        users = [live.session.user for live in self._sessions() if live.session.state in ("loading", "ready")]
        mine = users.count(user)
        if mine >= self.limits.user_sessions:
            raise TooManySessions(
                f"You have {mine} open sessions, which is the most for one user. Close some that are done with "
                "(GET /delineate/sessions lists them), or have the administrator raise DELINEATE_USER_SESSION_LIMIT."
            )
        if len(users) >= self.limits.sessions:
            raise TooManySessions(
                f"The service has {len(users)} open sessions, which is the most. Try again when others have closed "
                "theirs, or have the administrator raise DELINEATE_SESSION_LIMIT."
            )

    def check_waiting(self, user: str) -> None:
        """Raise SegmenterBusy if the user may have no further prompt wait now."""
        lives = [live for live in self._sessions() if (live.jobs or live.running) and live.session.user == user]
        waiting = sum(len(live.jobs) + len(live.running) for live in lives)
        if waiting >= self.limits.user_prompts:
            raise SegmenterBusy(
                f"{waiting} of your prompts wait or run already, which is the most for one user. Nothing was lost: "
                "send this prompt again when some of them are done."
            )

    def for_run(self, live: LiveSession, running: Set[str]) -> list[Engine] | None:
        """Return the engines to close so that the session can run; None if what runs leaves no room for it."""
        return [] if live.engine is not None else self._make_room(running, runner=live)

    def for_volume(self, plan: VolumePlan, running: Set[str], arriving: Sequence[VolumePlan]) -> list[Engine] | None:
        """Return the engines to close so that a volume can be loaded beside those that are being loaded (``arriving``).

        None if what runs, or arrives, leaves no room for it.
        """
        return self._make_room(running, plans=(*arriving, plan)) if self.limits.volumes_in_memory else []

    def park_idle(self, running: Set[str], idle_s: float) -> None:
        """Take engine and volume from every session that has been idle for so long."""
        before = self._clock() - idle_s
        for live in self._sessions():
            if live.session.id not in running and not live.jobs and live.session.touched_at <= before:
                engine, live.engine, live.volume = live.engine, None, None
                if engine is not None:
                    engine.close()

    def _make_room(
        self, running: Set[str], *, runner: LiveSession | None = None, plans: Sequence[VolumePlan] = ()
    ) -> list[Engine] | None:
        """Park who has been idle for too long, then who was touched longest ago, until there is room.

        Nobody is parked for room that there is not even so.
        """
        self.park_idle(running, self.limits.idle_s)
        held = _Held.of(self._sessions(), running, runner, plans)
        victims: list[tuple[LiveSession, Part]] = []
        for live, part in held.idle():
            if self._fits(held):
                break
            if part == "engine" or (self.limits.volumes_in_memory and not live.jobs):
                held.drop(live, part)
                victims.append((live, part))
        if not self._fits(held) and held.is_shared():
            return None
        engines = [live.engine for live, part in victims if part == "engine" and live.engine is not None]
        for live, part in victims:
            setattr(live, part, None)
        return engines

    def _fits(self, held: _Held) -> bool:
        return len(held.engines) <= self.limits.engines and self._bytes(held) <= self.limits.memory_bytes

    def _bytes(self, held: _Held) -> int:
        """Return what engines and volumes take; what sessions of one series share is counted once."""
        plans = [live.session.plan for live in held.engines.values() if live.session.plan is not None]
        total = sum(self._engine_bytes(plan.geometry.shape) for plan in plans)
        shared = {_key(plan): plan for plan in plans}
        total += sum(BYTES_PER_VOXEL * prod(plan.geometry.shape) for plan in shared.values())
        if self.limits.volumes_in_memory:
            volumes = {_key(plan): plan for plan in (*shared.values(), *held.volume_plans())}
            total += sum(BYTES_PER_VOXEL * prod(plan.geometry.shape) for plan in volumes.values())
        return total


@dataclass(slots=True)
class _Held:
    """What would be held, by session id; those that run, or are about to, stay."""

    engines: dict[str, LiveSession]
    volumes: dict[str, LiveSession]
    staying: Set[str]
    arriving: Sequence[VolumePlan]
    """Of volumes; the last is the one that is wanted."""

    @classmethod
    def of(
        cls, sessions: Iterable[LiveSession], running: Set[str], runner: LiveSession | None, plans: Sequence[VolumePlan]
    ) -> _Held:
        """Return what is held now, what runs has its engine or will have it, and what is wanted."""
        staying = {*running, *((runner.session.id,) if runner is not None else ())}
        engines, volumes = {}, {}
        for live in sessions:
            name = live.session.id
            if live.engine is not None or name in staying:
                engines[name] = live
            if live.volume is not None:
                volumes[name] = live
        return cls(engines, volumes, staying, plans)

    def idle(self) -> Iterator[tuple[LiveSession, Part]]:
        """Yield what can be given up: who has nothing to do first, then who was touched longest ago."""
        idle = {name: live for name, live in (self.engines | self.volumes).items() if name not in self.staying}
        for live in sorted(idle.values(), key=lambda s: (bool(s.jobs), s.session.touched_at)):
            if live.session.id in self.engines:
                yield live, "engine"
            if live.session.id in self.volumes:
                yield live, "volume"

    def drop(self, live: LiveSession, part: Part) -> None:
        """Count as given up."""
        del (self.engines if part == "engine" else self.volumes)[live.session.id]

    def volume_plans(self) -> list[VolumePlan]:
        """Return the plans of the volumes."""
        plans = [live.volume.plan for live in self.volumes.values() if live.volume is not None]
        return [*plans, *self.arriving]

    def is_shared(self) -> bool:
        """Tell whether anything but what is wanted is held, or on its way."""
        wanted = 0 if self.arriving else 1
        others = {_key(plan) for plan in self.arriving[:-1]} - {_key(plan) for plan in self.arriving[-1:]}
        return len(self.engines) > wanted or bool(self.volumes.keys() - self.staying) or bool(others)


def _key(plan: VolumePlan) -> tuple[str, str | None]:
    return plan.series_instance_uid, plan.volume
