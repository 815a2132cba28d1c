"""The volume of a plan that was made some time ago."""

from __future__ import annotations

from delineate.domain.errors import SeriesChanged
from delineate.domain.ports import Progress
from delineate.domain.volume import Volume, VolumePlan
from delineate.usecases.volumes import VolumeShelf


def _ignore(_done: int, _all: int, _bytes: int) -> None: ...


def volume_of(shelf: VolumeShelf, plan: VolumePlan, progress: Progress = _ignore) -> Volume:
    """Return the plan's volume, from memory or the archive.

    Raises
    ------
    SeriesChanged
        If the series is not what it was when the plan was made.
    ArchiveError, SeriesError
        If it cannot be fetched.
    """
    now = shelf.plan(plan.study_instance_uid, plan.series_instance_uid, plan.volume)
    if now.fingerprint != plan.fingerprint:
        raise SeriesChanged(plan.series_instance_uid)
    return shelf.load(plan, progress)
