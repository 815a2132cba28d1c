"""Measure the segments of a session; each labelmap once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from weakref import WeakKeyDictionary

from delineate.domain.labelmap import Labelmap, PackedRegion
from delineate.domain.measured import MeasuredSegment, MeasuredSegments
from delineate.domain.measurements import Measurements, measure
from delineate.domain.ports import Acceptance, Archive, ScaleReader
from delineate.domain.segment import SegmentDescription
from delineate.domain.surface import CellMesher, CellSurfaces
from delineate.domain.value_scale import ValueScale
from delineate.domain.volume import Volume, VolumePlan
from delineate.usecases.host import SessionHost
from delineate.usecases.live import LiveSession
from delineate.usecases.volumes import VolumeShelf


@dataclass(frozen=True, slots=True)
class _Frozen:
    """A segment as it is when measurements are asked for."""

    number: int
    description: SegmentDescription
    tracking_id: str
    tracking_uid: str
    revision: int
    packed: PackedRegion


@dataclass(slots=True, eq=False)
class _Known:
    """What was found out about a session's segments so far."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    scale: ValueScale | None = None
    measurements: dict[int, tuple[int, Measurements | None]] = field(default_factory=dict)
    """Of each segment: its revision, and what was measured of it."""


class Measuring:
    """Measures labelmaps on volumes."""

    def __init__(self, archive: Archive, scales: ScaleReader, mesher: CellMesher) -> None:
        self._archive = archive
        self._scales = scales
        self._mesher = mesher

    def scale(self, plan: VolumePlan) -> ValueScale:
        """Return what the values of the plan's volume mean; ArchiveError if the archive does not do its part."""
        series = plan.study_instance_uid, plan.series_instance_uid

        def instance(sop_instance_uid: str) -> bytes:
            return self._archive.instance(*series, sop_instance_uid)

        return self._scales.scale(plan, self._archive.headers(*series), instance)

    def measure(self, labelmap: Labelmap, volume: Volume, scale: ValueScale) -> Measurements | None:
        """Return the measurements; None if no voxel is set."""
        return None if labelmap.count == 0 else measure(labelmap, volume, self._surfaces, scale)

    @cached_property
    def _surfaces(self) -> CellSurfaces:
        return CellSurfaces.of(self._mesher)


class AcceptedMeasuring:
    """Measures what was accepted, on the volume as the archive has it."""

    def __init__(self, measuring: Measuring, shelf: VolumeShelf) -> None:
        self._measuring = measuring
        self._shelf = shelf

    def measure(self, acceptance: Acceptance) -> MeasuredSegments:
        """Return the measurements of every accepted segment.

        Raises
        ------
        SeriesChanged
            If the series is not what it was when it was segmented.
        ArchiveError, SeriesError
            If the volume or its headers are not in memory and cannot be fetched.
        """
        plan = acceptance.plan
        scale = self._measuring.scale(plan)
        volume = self._shelf.load_unchanged(plan)
        segments = tuple(
            MeasuredSegment(
                segment.number,
                segment.description,
                segment.tracking_id,
                segment.tracking_uid,
                segment.revision,
                self._measuring.measure(segment.labelmap, volume, scale),
            )
            for segment in acceptance.segments
        )
        return MeasuredSegments(plan, scale, segments)


class SegmentMeasuring:
    """Measures the segments of sessions, and remembers what it measured while their revision stays."""

    def __init__(self, host: SessionHost, measuring: Measuring) -> None:
        self._host = host
        self._measuring = measuring
        self._known: WeakKeyDictionary[LiveSession, _Known] = WeakKeyDictionary()
        self._guard = threading.Lock()

    def measure(self, live: LiveSession) -> MeasuredSegments:
        """Return the measurements of every segment as it is now; None for those that are empty.

        Raises
        ------
        SessionLoading, SessionFailed, SessionClosed
            If there is no volume to measure.
        ArchiveError, SeriesError
            If the volume or its headers are not in memory and cannot be fetched.
        """
        plan = live.plan
        with self._guard:
            known = self._known.setdefault(live, _Known())
        with known.turn:
            scale = known.scale = known.scale or self._measuring.scale(plan)
            measured = tuple(self._measured(live, known, scale, segment) for segment in _freeze(live))
            known.measurements = {segment.number: (segment.revision, segment.measurements) for segment in measured}
        return MeasuredSegments(plan, scale, measured)

    def _measured(self, live: LiveSession, known: _Known, scale: ValueScale, segment: _Frozen) -> MeasuredSegment:
        revision, measurements = known.measurements.get(segment.number, (None, None))
        if revision != segment.revision:
            measurements = None if segment.packed.box.is_empty else self._measure(live, scale, segment.packed)
        return MeasuredSegment(
            segment.number,
            segment.description,
            segment.tracking_id,
            segment.tracking_uid,
            segment.revision,
            measurements,
        )

    def _measure(self, live: LiveSession, scale: ValueScale, packed: PackedRegion) -> Measurements | None:
        volume = self._host.ensure_volume(live)
        return self._measuring.measure(packed.labelmap(volume.geometry.shape), volume, scale)


def _freeze(live: LiveSession) -> list[_Frozen]:
    with live.lock:
        return [
            _Frozen(s.number, s.description, s.tracking_id, s.tracking_uid, s.revision, s.packed)
            for s in live.session.segments.values()
        ]
