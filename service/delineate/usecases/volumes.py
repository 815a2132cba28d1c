"""Volumes, one for all sessions of a series: from the cache, or fetched into it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import ExitStack, contextmanager

import numpy as np
import numpy.typing as npt

from delineate.domain.errors import ArchiveUnreachable, CacheFull, SeriesChanged, VolumeChoiceRequired
from delineate.domain.ports import Archive, DicomJson, Progress, VolumeCache, VolumeReader
from delineate.domain.volume import Volume, VolumePlan
from delineate.usecases.downloads import Downloads
from delineate.usecases.fetch import Fetch, Waiter
from delineate.usecases.meter import Meter, NoMeter
from delineate.usecases.read_ahead import read_ahead

Elsewhere = Callable[[VolumePlan], tuple[int, int, int] | None]
"""Tells how far another process is with a volume: instances done, in all, bytes."""
DOWNLOADS = 2
"""Series that are fetched at the same time, unless said otherwise."""
FULL_S = 2.0
"""So long a full cache is tried again: a volume that was given up may be in somebody's hands for a moment longer."""
FULL_LOOK_S = 0.01
"""Pause between two tries."""
KEPT_DIGESTS = 64
"""Of series that were planned and are not in the cache."""


class Unwanted(Exception):
    """Nobody wants the volume any more; only for who said so."""


def _ignore(_done: int, _all: int, _bytes: int) -> None: ...


def never() -> bool:
    """Go on."""
    return False


class VolumeShelf:
    """Gives volumes to sessions and preloads, whichever of them fetch.

    Parameters
    ----------
    cache
        Where they are, and stay.
    downloads
        Series that are fetched from the archive at the same time.
    elsewhere
        How far another process that shares the cache is with a volume.
    """

    def __init__(
        self,
        archive: Archive,
        reader: VolumeReader,
        cache: VolumeCache,
        *,
        downloads: int = DOWNLOADS,
        elsewhere: Elsewhere = lambda _: None,
        meter: Meter | None = None,
    ) -> None:
        self._meter = meter or NoMeter()
        self._archive = archive
        self._reader = reader
        self._cache = cache
        self._elsewhere = elsewhere
        self._downloads = Downloads(downloads)
        self._fetches: dict[str, Fetch] = {}
        self._digests: dict[str, str] = {}
        self._guard = threading.Lock()
        self._closing = threading.Event()

    def plan(
        self,
        study_instance_uid: str,
        series_instance_uid: str,
        volume: str | None,
        holding: Callable[[], Set[str]] | None = None,
    ) -> VolumePlan:
        """Ask the archive what the series is by now and check it: a SeriesError names what is wrong.

        Headers that are what they were when a volume in the cache was planned need not be checked again.

        Parameters
        ----------
        volume
            Which of several; None: there is only one, or ``holding`` tells.
        holding
            Asked where one has to be chosen: SOP Instance UIDs that only the wanted volume holds.
        """
        headers = self._archive.described(study_instance_uid, series_instance_uid)
        known = self._cache.recall(headers.digest, volume)
        if known is not None:
            return known
        try:
            plan = self._reader.plan(headers.instances, volume)
        except VolumeChoiceRequired as choice:
            chosen = self._holding(choice, headers.instances, holding()) if holding is not None else None
            if chosen is None:
                raise
            plan = chosen
        self._keep_digest(plan, headers.digest)
        return plan

    def _holding(
        self, choice: VolumeChoiceRequired, headers: Sequence[DicomJson], instances: Set[str]
    ) -> VolumePlan | None:
        """Return the plan of the only volume that holds all those instances; None if not just one does."""
        plans = [self._reader.plan(headers, str(volume["id"])) for volume in choice.volumes]
        held = [p for p in plans if instances and instances <= {s.sop_instance_uid for s in p.slices}]
        return held[0] if len(held) == 1 else None

    def check_unchanged(self, plan: VolumePlan) -> None:
        """Raise SeriesChanged if the series is not what it was when the plan was made."""
        now = self.plan(plan.study_instance_uid, plan.series_instance_uid, plan.volume)
        if now.fingerprint != plan.fingerprint:
            raise SeriesChanged(plan.series_instance_uid)

    def load_unchanged(self, plan: VolumePlan) -> Volume:
        """Return the volume of a plan that was made some time ago.

        Raises
        ------
        SeriesChanged
            If the series is not what it was then.
        ArchiveError, SeriesError
            If it cannot be fetched.
        """
        self.check_unchanged(plan)
        return self.load(plan, _ignore)

    def load(
        self,
        plan: VolumePlan,
        progress: Progress,
        *,
        urgent: bool = True,
        cancelled: Callable[[], bool] = never,
    ) -> Volume:
        """Return the plan's volume, fetched once however many ask for it; all of them are told the progress.

        Parameters
        ----------
        urgent
            Whether a user waits: such volumes are fetched before others.
        cancelled
            Whether the caller wants it no more: Unwanted is raised then, and the fetch broken off unless others wait.
        """
        with self.loaded(plan, progress, urgent=urgent, cancelled=cancelled) as volume:
            return volume

    @contextmanager
    def loaded(
        self,
        plan: VolumePlan,
        progress: Progress,
        *,
        urgent: bool = True,
        cancelled: Callable[[], bool] = never,
        when_full: Callable[[], object] | None = None,
    ) -> Iterator[Volume]:
        """Give what ``load`` returns; if it was fetched, the next one's turn comes when the context ends.

        Parameters
        ----------
        when_full
            Called while volumes in use leave no room in the cache, to have those given up that are idle.
        """
        begun = time.monotonic()
        volume = self._cache.find(plan)
        cached = volume is not None
        with ExitStack() as turn:
            if volume is None:
                waiter = Waiter(progress, cancelled, urgent)
                with self._waiting(plan.fingerprint, waiter) as fetch:
                    volume = self._fetched(plan, fetch, waiter, turn, when_full)
                self._remember(plan)
            else:
                total = len(plan.instances)
                progress(total, total, 0)
            self._meter.volume_loaded(cached=cached, seconds=time.monotonic() - begun)
            yield volume

    def holds(self, plan: VolumePlan) -> bool:
        """Tell whether the plan's volume is there."""
        return self._cache.holds(plan.fingerprint)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Fingerprints of the volumes that somebody waits for."""
        with self._guard:
            return tuple(self._fetches)

    def close(self) -> None:
        """Break off what is being fetched, at its next instance."""
        self._closing.set()

    def _keep_digest(self, plan: VolumePlan, digest: str) -> None:
        """Keep the headers' hash until the volume is there to keep it with."""
        with self._guard:
            self._digests[plan.fingerprint] = digest
            while len(self._digests) > KEPT_DIGESTS:
                del self._digests[next(iter(self._digests))]
        if self._cache.holds(plan.fingerprint):
            self._remember(plan)

    def _remember(self, plan: VolumePlan) -> None:
        with self._guard:
            digest = self._digests.pop(plan.fingerprint, None)
        if digest is not None:
            self._cache.remember(digest, plan)

    @contextmanager
    def _waiting(self, key: str, waiter: Waiter) -> Iterator[Fetch]:
        with self._guard:
            fetch = self._fetches.setdefault(key, Fetch())
            fetch.waiting.append(waiter)
            last = fetch.last
        if last is not None:
            waiter.progress(*last)
        self._downloads.look_again()
        try:
            yield fetch
        finally:
            with self._guard:
                fetch.waiting.remove(waiter)
                if not fetch.waiting:
                    del self._fetches[key]

    def _fetched(
        self,
        plan: VolumePlan,
        fetch: Fetch,
        waiter: Waiter,
        turn: ExitStack,
        when_full: Callable[[], object] | None,
    ) -> Volume:
        """Return the volume, whoever fills it; a turn at the archive that this took is left in ``turn``."""

        def begin() -> None:
            fetch.here = True
            if not fetch.turn:
                turn.enter_context(self._turn(fetch))

        def load() -> Volume:
            return self._cache.load(
                plan, lambda out: self._fill(plan, fetch, out), lambda: self._wait(plan, fetch, waiter), begin
            )

        end = time.monotonic() + FULL_S
        while True:
            try:
                return load()
            except CacheFull:
                if when_full is None or time.monotonic() > end:
                    raise
            when_full()
            self._check_wanted(fetch)
            time.sleep(FULL_LOOK_S)

    @contextmanager
    def _turn(self, fetch: Fetch) -> Iterator[None]:
        with self._downloads.turn(fetch, lambda: self._check_wanted(fetch)):
            fetch.turn = True
            try:
                yield
            finally:
                fetch.turn = False

    def _fill(self, plan: VolumePlan, fetch: Fetch, out: npt.NDArray[np.float32]) -> None:
        parts = self._archive.instances(plan.study_instance_uid, plan.series_instance_uid, plan.instances, fetch.tell)
        self._reader.read(plan, read_ahead(parts, lambda: self._check_wanted(fetch)), out)

    def _wait(self, plan: VolumePlan, fetch: Fetch, waiter: Waiter) -> None:
        """Go on waiting for whoever fills the volume, in this process or another."""
        self._check_open()
        if waiter.cancelled():
            raise Unwanted
        far = None if fetch.here else self._elsewhere(plan)
        if far is not None and far != fetch.last:
            fetch.tell(*far)

    def _check_wanted(self, fetch: Fetch) -> None:
        self._check_open()
        if fetch.unwanted:
            raise Unwanted

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise ArchiveUnreachable("The service is stopping; the series is read again when it is back.")
