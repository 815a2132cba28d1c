"""Reading stored segmentations: ours, those of others, and those that cannot be refined or read."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import RLELossless, generate_uid
from tests.phantoms import PhantomSeries, make_series, part10
from tests.readers.acceptances import Mask, acceptance_of, plan_of
from tests.readers.cases import CASES, Case, overlapping, two
from tests.readers.foreign_segs import as_bytes, foreign_seg, reference_of, reread

from delineate.adapters.dicom_seg import DicomSegCodec
from delineate.domain.errors import (
    NotASegmentation,
    SegmentationError,
    SegmentationOfOtherSeries,
    SegmentationUnreadable,
)
from delineate.domain.segmentation import StoredSegmentation

CODEC = DicomSegCodec()
SHAPE = (12, 20, 24)


@pytest.fixture(scope="module")
def series() -> PhantomSeries:
    return make_series(shape=SHAPE, orientation="oblique", shuffled=True)


def read(seg: Dataset, series: PhantomSeries) -> StoredSegmentation:
    return CODEC.read(as_bytes(seg), reference_of(seg), plan_of(series))


def voxels(stored: StoredSegmentation, series: PhantomSeries) -> list[Mask]:
    shape = plan_of(series).geometry.shape
    return [segment.labelmap.labelmap(shape).to_array() for segment in stored.segments]


def are_equal(found: list[Mask], expected: list[Mask]) -> bool:
    return len(found) == len(expected) and all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_we_stored_is_read_with_voxels_names_codes_colours_and_tracking(case: Case) -> None:
    series = case.series()
    masks = case.segments(series.voxels.shape)
    acceptance = acceptance_of(series, masks, encoding=case.encoding)
    seg = reread_bytes(CODEC.encode(acceptance, series.headers()))
    stored = read(seg, series)
    assert stored.read_only is None
    assert are_equal(voxels(stored, series), masks)
    assert [s.description for s in stored.segments] == [s.description for s in acceptance.segments]
    assert [(s.tracking_id, s.tracking_uid) for s in stored.segments] == [
        (s.tracking_id, s.tracking_uid) for s in acceptance.segments
    ]
    assert not any(s.origin.manual for s in stored.segments)


def reread_bytes(data: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(data))


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_a_segmentation_of_another_maker_is_read(series: PhantomSeries, kind: str) -> None:
    masks = two(SHAPE) if kind == "LABELMAP" else overlapping(SHAPE)
    stored = read(foreign_seg(series, masks, kind), series)
    assert stored.read_only is None
    assert are_equal(voxels(stored, series), masks)
    first, second = (segment.description for segment in stored.segments[:2])
    assert (first.label, first.type.meaning if first.type else "") == ("Acme finding 1", "Liver")
    assert first.laterality is not None
    assert first.laterality.meaning == "Right"
    assert (first.region, second.region.meaning if second.region else "") == (None, "Liver")
    assert (second.category.meaning if second.category else "") == "Morphologically Abnormal Structure"
    assert stored.segments[0].tracking_uid is None
    assert stored.segments[1].tracking_id == "acme 2"


def test_a_compressed_labelmap_is_read(series: PhantomSeries) -> None:
    masks = two(SHAPE)
    seg = foreign_seg(series, masks, "LABELMAP", transfer_syntax=RLELossless)
    assert seg.file_meta.TransferSyntaxUID == RLELossless
    assert are_equal(voxels(read(seg, series), series), masks)


def test_a_labelmaps_background_is_no_segment_and_its_numbers_may_have_gaps(series: PhantomSeries) -> None:
    def renumber(seg: Dataset) -> None:
        numbers = {0: 0, 1: 9, 2: 40}
        for item in seg.SegmentSequence:
            item.SegmentNumber = numbers[item.SegmentNumber]
        pixels = np.frombuffer(seg.PixelData, np.uint8)
        seg.PixelData = np.array([0, 9, 40], np.uint8)[pixels].tobytes()

    seg = foreign_seg(series, two(SHAPE), "LABELMAP", change=renumber)
    stored = read(seg, series)
    assert [segment.origin.number for segment in stored.segments] == [9, 40]
    assert are_equal(voxels(stored, series), two(SHAPE))


def test_frames_of_a_part_of_the_images_turned_within_them_lie_where_their_positions_say() -> None:
    """Rows and columns exchanged, rows reversed, and only a part of the images' area."""
    series = make_series(shape=SHAPE, orientation="oblique", spacing=(3.0, 1.25, 0.8))
    mask = two(SHAPE)[0]
    (first, stop) = (3, 17), (5, 21)

    def turn(seg: Dataset) -> None:
        plan = plan_of(series)
        shared = seg.SharedFunctionalGroupsSequence[0]
        directions = plan.geometry.directions
        shared.PlaneOrientationSequence[0].ImageOrientationPatient = [
            f"{v:.12f}" for v in (*-directions[1], *directions[2])
        ]
        shared.PixelMeasuresSequence[0].PixelSpacing = [0.8, 1.25]
        frames = []
        for group in seg.PerFrameFunctionalGroupsSequence:
            position = [float(v) for v in group.PlanePositionSequence[0].ImagePositionPatient]
            k = round(plan.geometry.to_continuous([position])[0][0])
            (corner,) = plan.geometry.to_patient([[k, first[1] - 1, stop[0]]]).tolist()
            group.PlanePositionSequence[0].ImagePositionPatient = [f"{v:.10f}" for v in corner]
            frames.append(np.flip(mask[k, first[0] : first[1], stop[0] : stop[1]].T, axis=1))
        seg.Rows, seg.Columns = frames[0].shape
        data = np.packbits(np.stack(frames).reshape(-1), bitorder="little").tobytes()
        seg.PixelData = data + b"\0" * (len(data) % 2)

    outside = mask.copy()
    outside[:, first[0] : first[1], stop[0] : stop[1]] = False
    assert not outside.any(), "the part holds all of the mask"
    assert are_equal(voxels(read(foreign_seg(series, [mask], change=turn), series), series), [mask])


def shared(seg: Dataset) -> Dataset:
    item: Dataset = seg.SharedFunctionalGroupsSequence[0]
    return item


def other_frame_of_reference(seg: Dataset) -> None:
    seg.FrameOfReferenceUID = generate_uid()


def other_pixel_spacing(seg: Dataset) -> None:
    shared(seg).PixelMeasuresSequence[0].PixelSpacing = [1.3, 0.8]


def other_orientation(seg: Dataset) -> None:
    shared(seg).PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]


def moved(by_slices: float) -> Callable[[Dataset], None]:
    def change(seg: Dataset) -> None:
        row, column = np.array(shared(seg).PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
        for group in seg.PerFrameFunctionalGroupsSequence:
            position = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
            moved_to = position + np.cross(row, column) * 3.0 * by_slices
            group.PlanePositionSequence[0].ImagePositionPatient = [f"{v:.6f}" for v in moved_to]

    return change


def without_positions(seg: Dataset) -> None:
    for group in seg.PerFrameFunctionalGroupsSequence:
        del group.PlanePositionSequence


def with_positions_that_are_no_numbers(seg: Dataset) -> None:
    seg.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient = ["1e400", "0", "0"]


def thick_slices_without_sources(seg: Dataset) -> None:
    shared(seg).PixelMeasuresSequence[0].SpacingBetweenSlices = 6.0
    for group in seg.PerFrameFunctionalGroupsSequence:
        del group.DerivationImageSequence


READ_ONLY: dict[str, tuple[Callable[[Dataset], None], str]] = {
    "other-frame-of-reference": (other_frame_of_reference, "another frame of reference"),
    "other-pixel-spacing": (other_pixel_spacing, "another orientation or pixel spacing"),
    "other-orientation": (other_orientation, "another orientation or pixel spacing"),
    "between-slices": (moved(0.5), "between the images"),
    "one-slice-off-its-sources": (moved(1), "contradicts itself"),
    "outside": (moved(40), "beyond the images"),
    "without-positions": (without_positions, "where its frames lie"),
    "no-numbers": (with_positions_that_are_no_numbers, "no numbers"),
    "thick-slices": (thick_slices_without_sources, "another slice spacing"),
}


@pytest.mark.parametrize("name", READ_ONLY)
def test_a_segmentation_on_another_grid_is_read_only_with_the_reason(series: PhantomSeries, name: str) -> None:
    change, reason = READ_ONLY[name]
    stored = read(foreign_seg(series, two(SHAPE), change=change), series)
    assert reason in (stored.read_only or "")
    assert [segment.description.label for segment in stored.segments] == ["Acme finding 1", "Acme finding 2"]
    assert all(segment.labelmap.box.is_empty for segment in stored.segments)


def test_a_fractional_segmentation_is_read_only(series: PhantomSeries) -> None:
    stored = read(foreign_seg(series, two(SHAPE), "FRACTIONAL"), series)
    assert "FRACTIONAL" in (stored.read_only or "")
    assert len(stored.segments) == 2


def test_a_header_that_lies_about_the_slice_spacing_does_no_harm_where_frames_name_their_images() -> None:
    series = make_series(shape=SHAPE, spacing_between_slices=5.0)
    masks = two(SHAPE)
    stored = read(foreign_seg(series, masks), series)
    assert stored.read_only is None
    assert are_equal(voxels(stored, series), masks)


def of_other_series(seg: Dataset) -> None:
    seg.ReferencedSeriesSequence[0].SeriesInstanceUID = generate_uid()


def of_other_images(seg: Dataset) -> None:
    for group in seg.PerFrameFunctionalGroupsSequence:
        group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID = generate_uid()


@pytest.mark.parametrize("change", [of_other_series, of_other_images])
def test_a_segmentation_of_other_images_is_refused(series: PhantomSeries, change: Callable[[Dataset], None]) -> None:
    with pytest.raises(SegmentationOfOtherSeries, match=r"made on"):
        read(foreign_seg(series, two(SHAPE), change=change), series)


def short_pixels(seg: Dataset) -> None:
    seg.PixelData = seg.PixelData[:100]


def no_pixels(seg: Dataset) -> None:
    del seg.PixelData


def frame_of_nothing(seg: Dataset) -> None:
    group = seg.PerFrameFunctionalGroupsSequence[0]
    group.SegmentIdentificationSequence[0].ReferencedSegmentNumber = 77


def one_number_twice(seg: Dataset) -> None:
    for item in seg.SegmentSequence:
        item.SegmentNumber = 1


def more_frames_than_described(seg: Dataset) -> None:
    seg.NumberOfFrames = int(seg.NumberOfFrames) + 1


def no_type(seg: Dataset) -> None:
    del seg.SegmentationType


UNREADABLE = (short_pixels, no_pixels, frame_of_nothing, one_number_twice, more_frames_than_described, no_type)


@pytest.mark.parametrize("change", UNREADABLE)
def test_a_damaged_segmentation_is_refused(series: PhantomSeries, change: Callable[[Dataset], None]) -> None:
    with pytest.raises(SegmentationUnreadable):
        read(foreign_seg(series, two(SHAPE), change=change), series)


@pytest.mark.parametrize("seed", range(60))
def test_corrupt_bytes_are_read_or_refused_but_never_fail_otherwise(series: PhantomSeries, seed: int) -> None:
    rng = np.random.default_rng(seed)
    seg = foreign_seg(series, two(SHAPE))
    spoilt = np.frombuffer(as_bytes(seg), np.uint8).copy()
    start = int(rng.integers(132, len(spoilt) - 64))
    spoilt[start : start + int(rng.integers(1, 64))] = rng.integers(0, 256)
    outcome: StoredSegmentation | SegmentationError
    try:
        outcome = CODEC.read(spoilt.tobytes(), reference_of(seg), plan_of(series))
    except SegmentationError as error:
        outcome = error
    assert isinstance(outcome, SegmentationError) or all(
        segment.labelmap.labelmap(SHAPE).shape == SHAPE for segment in outcome.segments
    )


def test_what_is_cut_off_or_no_dicom_is_refused(series: PhantomSeries) -> None:
    seg = foreign_seg(series, two(SHAPE))
    whole = as_bytes(seg)
    for data in (b"", b"DICM", whole[:400], whole[: len(whole) // 2]):
        with pytest.raises(SegmentationUnreadable):
            CODEC.read(data, reference_of(seg), plan_of(series))


def test_an_image_is_no_segmentation(series: PhantomSeries) -> None:
    image = series.datasets[0]
    with pytest.raises(NotASegmentation, match=str(image.SOPClassUID)):
        CODEC.read(part10(image), reference_of(image), plan_of(series))


def test_another_instance_than_asked_for_is_refused(series: PhantomSeries) -> None:
    seg, other = foreign_seg(series, two(SHAPE)), foreign_seg(series, two(SHAPE))
    with pytest.raises(SegmentationUnreadable, match="another SOP Instance UID"):
        CODEC.read(as_bytes(seg), reference_of(other), plan_of(series))


def test_texts_are_read_in_the_segmentations_own_character_set(series: PhantomSeries) -> None:
    def german(seg: Dataset) -> None:
        seg.SpecificCharacterSet = "ISO_IR 100"
        seg.SegmentSequence[0].SegmentLabel = "Gefäß"

    seg = foreign_seg(series, two(SHAPE), change=german)
    stored = read(reread(seg), series)
    assert stored.segments[0].description.label == "Gefäß"
    assert "Gefäß" in str(stored.segments[0].origin.item)


@pytest.mark.parametrize(
    "values", [None, [0, 0, 0], [65535, 65535, 0], [70000], ["x"]], ids=["none", "black", "gamut", "short", "text"]
)
def test_any_colour_is_read_as_one_that_can_be_shown(series: PhantomSeries, values: list[int] | None) -> None:
    seg = foreign_seg(series, two(SHAPE))
    item = seg.SegmentSequence[0]
    del item.RecommendedDisplayCIELabValue
    if values and all(isinstance(v, int) and v < 2**16 for v in values):
        item.RecommendedDisplayCIELabValue = values
    colour = read(seg, series).segments[0].description.colour
    assert all(0 <= c <= 255 for c in colour)
