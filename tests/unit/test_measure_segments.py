"""Measuring the segments of a session, and the table and reply made of it."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from tests.fakes import SHAPE, World, point

from delineate.adapters.marching_cubes import MarchingCubes
from delineate.domain.errors import ArchiveUnreachable, SessionClosed
from delineate.domain.geometry import Box
from delineate.domain.labelmap import Region, Voxels
from delineate.domain.measured import MeasuredSegments
from delineate.domain.measurement_table import measurement_table
from delineate.domain.ports import DicomJson
from delineate.domain.prompts import LabelmapPrompt, PromptOrigin
from delineate.domain.segment import CodedConcept
from delineate.domain.surface import Triangles
from delineate.domain.value_scale import SUV_BW, ValueScale
from delineate.domain.volume import VolumePlan
from delineate.http.measurement_replies import MeasurementsReply
from delineate.usecases.live import LiveSession
from delineate.usecases.measure_segments import Measuring, SegmentMeasuring
from delineate.usecases.open_session import close_session
from delineate.usecases.segments import change_segment, delete_segment
from delineate.usecases.submit_prompt import submit_prompt
from delineate.usecases.undo import undo

NOTE = "SUVbw is given."


class CountingScales:
    """Answers one scale and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def scale(
        self,
        plan: VolumePlan,  # noqa: ARG002
        headers: Sequence[DicomJson],  # noqa: ARG002
        instance: Callable[[str], bytes],  # noqa: ARG002
    ) -> ValueScale:
        self.asked += 1
        return ValueScale(SUV_BW, 2.0, NOTE)


class CountingMesher(MarchingCubes):
    """Counts how many cells it meshes."""

    cells = 0

    def cell(self, corners: Voxels) -> Triangles:
        self.cells += 1
        return super().cell(corners)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def scales() -> CountingScales:
    return CountingScales()


@pytest.fixture
def measuring(world: World, scales: CountingScales) -> SegmentMeasuring:
    return SegmentMeasuring(world.host, Measuring(world.archive, scales, CountingMesher()))


def fill(world: World, live: LiveSession, number: int, box: Box, name: str) -> None:
    """Give a segment the voxels of a box."""
    prompt = LabelmapPrompt.of(PromptOrigin(name, True, "1.2.3"), Region(box, np.ones(box.shape, dtype=np.bool_)))
    submit_prompt(world.host, live, number, prompt, run=True, digest=name).result(10)


def numbers(measured: MeasuredSegments) -> list[int | None]:
    """The voxel count of each segment."""
    return [s.measurements.voxel_count if s.measurements else None for s in measured.segments]


def test_every_segment_as_it_is_now(world: World, measuring: SegmentMeasuring) -> None:
    live = world.open(segments=3)
    fill(world, live, 1, Box((1, 2, 3), (3, 5, 7)), "a")
    fill(world, live, 3, Box((0, 0, 0), SHAPE), "b")
    found = measuring.measure(live)
    assert [s.number for s in found.segments] == [1, 2, 3]
    assert numbers(found) == [24, None, 6 * 30 * 40]
    assert found.scale.unit == SUV_BW
    assert found.segments[0].revision == 1
    assert found.segments[0].measurements is not None
    assert found.source_of(found.segments[0].measurements) == live.plan.slices[1]


def test_undo_is_measured(world: World, measuring: SegmentMeasuring) -> None:
    live = world.open()
    fill(world, live, 1, Box((1, 2, 3), (3, 5, 7)), "a")
    fill(world, live, 1, Box((1, 2, 3), (2, 3, 4)), "b")
    assert numbers(measuring.measure(live)) == [1]
    undo(world.host, live, 1, "key", "digest")
    assert numbers(measuring.measure(live)) == [24]
    undo(world.host, live, 1, "other", "digest")
    assert numbers(measuring.measure(live)) == [None]


def test_nothing_is_measured_twice(world: World, measuring: SegmentMeasuring, scales: CountingScales) -> None:
    live = world.open(segments=2)
    fill(world, live, 1, Box((1, 2, 3), (3, 5, 7)), "a")
    fill(world, live, 2, Box((1, 2, 3), (3, 5, 7)), "b")
    first = measuring.measure(live)
    fill(world, live, 2, Box((0, 0, 0), (1, 1, 1)), "c")
    change_segment(world.host, live, 1, {"label": "Liver"}, "k", "d")
    second = measuring.measure(live)
    assert second.segments[0].measurements is first.segments[0].measurements
    assert second.segments[0].description.label == "Liver"
    assert numbers(second) == [24, 1]
    assert scales.asked == 1


def test_a_deleted_segment_is_gone(world: World, measuring: SegmentMeasuring) -> None:
    live = world.open(segments=2)
    fill(world, live, 1, Box((1, 2, 3), (3, 5, 7)), "a")
    measuring.measure(live)
    delete_segment(world.host, live, 1, "k", "d")
    assert [s.number for s in measuring.measure(live).segments] == [2]


def test_many_who_ask_at_once_have_it_measured_once(
    world: World, measuring: SegmentMeasuring, scales: CountingScales
) -> None:
    live = world.open()
    fill(world, live, 1, Box((0, 0, 0), SHAPE), "a")
    found: list[MeasuredSegments] = []
    threads = [threading.Thread(target=lambda: found.append(measuring.measure(live))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 8
    assert len({id(one.segments[0].measurements) for one in found}) == 1
    assert scales.asked == 1


def test_after_a_restart_the_same_is_measured(world: World, scales: CountingScales) -> None:
    live = world.open()
    submit_prompt(world.host, live, 1, point(2, 3, 4), run=True, digest="d").result(10)
    before = SegmentMeasuring(world.host, Measuring(world.archive, scales, MarchingCubes())).measure(live)
    world.restart()
    again = world.host.get(live.session.id, "ada")
    after = SegmentMeasuring(world.host, Measuring(world.archive, scales, MarchingCubes())).measure(again)
    assert after == before


def test_the_volume_is_fetched_only_to_measure_something(world: World, scales: CountingScales) -> None:
    """A segmentation that is open to be looked at has no voxels here, and its volume may never be fetched."""
    before = world.open(segments=2)
    world.restart()
    live = world.host.get(before.session.id, "ada")
    measuring = SegmentMeasuring(world.host, Measuring(world.archive, scales, MarchingCubes()))
    assert numbers(measuring.measure(live)) == [None, None]
    assert live.volume is None
    fill(world, live, 1, Box((0, 0, 0), (1, 1, 1)), "a")
    assert numbers(measuring.measure(live)) == [1, None]


def test_a_closed_session_is_not_measured(world: World, measuring: SegmentMeasuring) -> None:
    live = world.open()
    close_session(world.host, live)
    with pytest.raises(SessionClosed):
        measuring.measure(live)


def test_without_the_archive_it_can_be_tried_again(world: World, measuring: SegmentMeasuring) -> None:
    live = world.open()
    world.archive.fault = ArchiveUnreachable("No connection.")
    with pytest.raises(ArchiveUnreachable):
        measuring.measure(live)
    world.archive.fault = None
    assert numbers(measuring.measure(live)) == [None]


# --- table and reply ------------------------------------------------------------------------------


@pytest.fixture
def measured(world: World, measuring: SegmentMeasuring) -> MeasuredSegments:
    live = world.open(segments=2)
    fill(world, live, 1, Box((1, 2, 3), (3, 5, 7)), "a")
    kidney = CodedConcept("64033007", "SCT", "Kidney")
    organ = CodedConcept("123037004", "SCT", "Anatomical Structure")
    changes: dict[str, object] = {"label": 'Niere, "links"\u00e4', "type": kidney, "category": organ}
    change_segment(world.host, live, 1, changes, "k", "d")
    change_segment(world.host, live, 2, {"label": "=1+1"}, "l", "d")
    return measuring.measure(live)


def rows_of(measured: MeasuredSegments) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(measurement_table(measured), newline="")))


def test_the_table_has_the_numbers_of_the_reply(measured: MeasuredSegments) -> None:
    row, empty = rows_of(measured)
    reply = MeasurementsReply.of(measured).segments[0].measurements
    assert reply is not None
    assert row["label"] == 'Niere, "links"\u00e4'
    assert row["type"] == "64033007^SCT^Kidney"
    assert row["segment number"] == "1"
    assert float(row["volume [mL]"]) == reply.volume_ml == 0.024
    assert float(row["surface [mm2]"]) == reply.surface_mm2
    assert float(row["longest diameter [mm]"]) == reply.longest.length_mm
    for name, diameter in (
        ("longest diameter in plane", reply.in_plane.longest),
        ("perpendicular diameter in plane", reply.in_plane.perpendicular),
        ("longest diameter", reply.longest),
    ):
        assert float(row[f"{name} [mm]"]) == diameter.length_mm
        ends = [[float(row[f"{name} end {n} {axis} [mm LPS]"]) for axis in "xyz"] for n in (1, 2)]
        assert ends == [list(end) for end in diameter.ends]
    assert [float(row[f"centroid {axis} [mm LPS]"]) for axis in "xyz"] == list(reply.centroid) == [4.5, 3, 1.5]
    assert row["plane sop instance uid"] == reply.in_plane.sop_instance_uid == "1.4.1"
    assert float(row["mean [{SUVbw}g/ml]"]) == reply.values.mean == 0
    assert float(row["percentile 95 [{SUVbw}g/ml]"]) == reply.values.percentiles[95]
    assert row["value note"] == NOTE
    assert (empty["volume [mL]"], empty["value note"], empty["segment number"]) == ("", "", "2")


def test_the_table_has_no_formulas(measured: MeasuredSegments) -> None:
    assert rows_of(measured)[1]["label"] == "'=1+1"


def test_the_table_s_header_is_the_same_without_segments(measured: MeasuredSegments) -> None:
    none = MeasuredSegments(measured.plan, measured.scale, ())
    (header,) = measurement_table(none).splitlines()
    assert header == measurement_table(measured).splitlines()[0]
    assert "volume [mL]" in header


def test_an_empty_segment_has_a_reply_without_measurements(measured: MeasuredSegments) -> None:
    reply = MeasurementsReply.of(measured)
    assert reply.segments[1].measurements is None
    assert (reply.unit.value, reply.unit.scheme) == ("{SUVbw}g/ml", "UCUM")
