"""What a DICOM SEG of ours holds."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from tests.phantoms import PhantomSeries, make_series
from tests.readers.acceptances import (
    ANATOMY,
    KIDNEY,
    MODEL,
    SPLEEN,
    acceptance_of,
    blob,
    plan_of,
    segment_of,
)
from tests.readers.by_position import position_masks
from tests.readers.cases import CASES, Case, overlapping, three_slices, two

from delineate import __version__
from delineate.adapters.dicom_seg import DicomSegCodec
from delineate.domain.errors import SegmentEmpty, SegmentsOverlap, SegmentUnnamed
from delineate.domain.ports import Acceptance
from delineate.domain.segment import SegmentDescription

CODEC = DicomSegCodec()


def encode(series: PhantomSeries, acceptance: Acceptance) -> bytes:
    return CODEC.encode(acceptance, series.headers())


def parsed(seg: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(seg))


def accept(series: PhantomSeries, **changes: Any) -> Acceptance:
    return acceptance_of(series, two(series.spec.shape), **changes)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_voxel_lies_where_it_was_accepted(case: Case) -> None:
    series = case.series()
    masks = case.segments(series.voxels.shape)
    seg = encode(series, acceptance_of(series, masks, encoding=case.encoding))
    read = position_masks(seg, series)
    assert sorted(read) == list(range(1, len(masks) + 1))
    for number, mask in enumerate(masks, 1):
        assert np.array_equal(read[number], mask)


def test_highdicom_reads_it_back_on_the_same_grid() -> None:
    series = make_series(orientation="oblique", spacing_between_slices=5.0, shuffled=True)
    masks = two(series.spec.shape)
    with io.BytesIO(encode(series, acceptance_of(series, masks))) as file:
        volume = highdicom.seg.segread(file).get_volume(combine_segments=False)
    for n, mask in enumerate(masks):
        positions = volume.map_indices_to_reference(np.argwhere(volume.array[..., n]))
        found = plan_of(series).geometry.to_continuous(positions)
        assert np.allclose(sorted(found.round(4).tolist()), np.argwhere(mask), atol=1e-3)


@pytest.mark.parametrize("encoding", ["BINARY", "LABELMAP"])
def test_encoding_twice_gives_the_same_bytes(encoding: str) -> None:
    series = make_series(shape=(12, 8, 9))
    acceptance = acceptance_of(series, three_slices(series.spec.shape), encoding=encoding)
    assert encode(series, acceptance) == encode(series, acceptance)


def test_segments_are_described_and_coded() -> None:
    series = make_series()
    acceptance = accept(series)
    first, second = acceptance.segments
    seg = parsed(encode(series, replace(acceptance, segments=(replace(first, number=4), replace(second, number=9)))))
    one, other = seg.SegmentSequence
    assert [one.SegmentNumber, other.SegmentNumber] == [1, 2]
    assert one.SegmentLabel == "Niere 1 (腎)"
    assert one.SegmentedPropertyCategoryCodeSequence[0].CodeValue == ANATOMY.value
    kind = one.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodeValue, kind.CodingSchemeDesignator, kind.CodeMeaning) == ("64033007", "SCT", "Kidney")
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    assert "SegmentedPropertyTypeModifierCodeSequence" not in other.SegmentedPropertyTypeCodeSequence[0]
    assert (one.TrackingID, one.TrackingUID) == (first.tracking_id, first.tracking_uid)
    colour = highdicom.color.CIELabColor.from_dicom_value(one.RecommendedDisplayCIELabValue).to_rgb()
    assert np.allclose(colour, first.description.colour, atol=1)


def test_a_finding_has_its_region_and_the_side_of_that() -> None:
    series = make_series()
    acceptance = accept(series)
    first = acceptance.segments[0]
    said = replace(first.description, region=SPLEEN)
    item = parsed(encode(series, replace(acceptance, segments=(replace(first, description=said),)))).SegmentSequence[0]
    (region,) = item.AnatomicRegionSequence
    assert (region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning) == ("78961009", "SCT", "Spleen")
    assert [side.CodeMeaning for side in region.AnatomicRegionModifierSequence] == ["Left"]
    assert "SegmentedPropertyTypeModifierCodeSequence" not in item.SegmentedPropertyTypeCodeSequence[0]


def test_the_model_and_its_licence_are_named() -> None:
    series = make_series()
    item = parsed(encode(series, accept(series))).SegmentSequence[0]
    assert item.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert item.SegmentAlgorithmName == MODEL.name
    (algorithm,) = item.SegmentationAlgorithmIdentificationSequence
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeMeaning == "Artificial Intelligence"
    assert algorithm.AlgorithmVersion == MODEL.version
    for said in (MODEL.id, MODEL.weights_sha256, MODEL.licence, "demo=yes", "not a medical device"):
        assert said in algorithm.AlgorithmParameters
    assert "Demo model" in item.SegmentDescription


def test_a_manual_segment_names_no_model() -> None:
    series = make_series()
    segment = segment_of(two(series.spec.shape)[0], manual=True)
    seg = parsed(encode(series, accept(series, segments=(segment,))))
    assert seg.SegmentSequence[0].SegmentAlgorithmType == "MANUAL"
    assert "SegmentationAlgorithmIdentificationSequence" not in seg.SegmentSequence[0]
    assert seg.ContentDescription == "Manual. Research use only, not a medical device."


def test_the_instance_says_what_made_it_and_when() -> None:
    series = make_series()
    acceptance = accept(series)
    seg = parsed(encode(series, acceptance))
    assert (seg.SOPInstanceUID, seg.SeriesInstanceUID) == (acceptance.sop_instance_uid, acceptance.series_instance_uid)
    assert (seg.Manufacturer, seg.SoftwareVersions) == ("Delineate", f"delineate {__version__}")
    assert seg.DeviceSerialNumber == f"{MODEL.id}-{MODEL.weights_sha256[:12]}"
    assert (seg.SeriesNumber, seg.SeriesDescription) == (1003, "AI-assisted: phantom")
    assert (seg.ContentDate, seg.ContentTime) == ("20260304", "050607.000089")
    assert (seg.SeriesDate, seg.InstanceCreationTime) == ("20260304", "050607.000089")
    assert seg.ContentCreatorName == "Müller^Ada"
    assert "not a medical device" in seg.ContentDescription
    assert max(len(str(e.value)) for e in seg if e.VR == "LO") <= 64


def test_a_long_series_description_is_cut() -> None:
    series = make_series()
    assert parsed(encode(series, accept(series, series_description="x" * 70 + "\\"))).SeriesDescription == "x" * 64


def test_dates_are_in_the_sources_time_zone() -> None:
    series = make_series()
    for dataset in series.datasets:
        dataset.TimezoneOffsetFromUTC = "-0500"
    moment = datetime(2026, 3, 4, 1, 0, tzinfo=timezone(timedelta(hours=1)))
    seg = parsed(encode(series, accept(series, accepted_at=moment)))
    assert (seg.ContentDate, seg.ContentTime, seg.TimezoneOffsetFromUTC) == ("20260303", "190000.000000", "-0500")


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ("Ada Maria Müller", "Müller^Ada Maria"),
        ("Müller, Ada", "Müller^Ada"),
        ("Müller^Ada^^Dr", "Müller^Ada^^Dr"),
        ("ada", "ada"),
        ("", ""),
        ("back\\slash=\n", "backslash"),
        ("x" * 80, "x" * 64),
    ],
)
def test_the_creator_becomes_a_person_name(user: str, name: str) -> None:
    series = make_series()
    assert parsed(encode(series, accept(series, creator=user))).ContentCreatorName == name


def test_overlap_is_said_and_refused_in_a_labelmap() -> None:
    series = make_series()
    masks = overlapping(series.spec.shape)
    assert parsed(encode(series, acceptance_of(series, masks))).SegmentsOverlap == "YES"
    assert parsed(encode(series, accept(series))).SegmentsOverlap == "NO"
    with pytest.raises(SegmentsOverlap, match="Segment 2"):
        encode(series, acceptance_of(series, masks, encoding="LABELMAP"))


def test_a_labelmaps_background_stands_behind_the_segments() -> None:
    series = make_series()
    seg = parsed(encode(series, accept(series, encoding="LABELMAP")))
    assert seg.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.7"
    assert [item.SegmentNumber for item in seg.SegmentSequence] == [1, 2, 0]


def test_more_than_255_segments() -> None:
    series = make_series(shape=(6, 20, 24))
    masks = np.zeros((300, *series.spec.shape), np.bool_)
    masks.reshape(300, -1)[np.arange(300), np.arange(300) * 3] = True
    read = position_masks(encode(series, acceptance_of(series, list(masks), encoding="LABELMAP")), series)
    assert np.array_equal([read[n] for n in range(1, 301)], masks)


def test_an_empty_or_unnamed_segment_is_refused() -> None:
    series = make_series()
    empty = segment_of(np.zeros(series.spec.shape, np.bool_))
    with pytest.raises(SegmentEmpty):
        encode(series, accept(series, segments=(empty,)))
    for said in (SegmentDescription(label="x"), SegmentDescription(label=" ", category=ANATOMY, type=KIDNEY)):
        unnamed = segment_of(blob(series.spec.shape, (0.5, 0.5, 0.5), 0.3), description=said)
        with pytest.raises(SegmentUnnamed):
            encode(series, accept(series, segments=(unnamed,)))


@pytest.mark.parametrize("rows", [8, 9, 10])
@pytest.mark.parametrize("encoding", ["BINARY", "LABELMAP"])
def test_padding_is_nul(rows: int, encoding: str) -> None:
    series = make_series(shape=(5, rows, 9))
    seg = parsed(encode(series, acceptance_of(series, [np.ones(series.spec.shape, np.bool_)], encoding=encoding)))
    bits = seg.NumberOfFrames * seg.Rows * seg.Columns * seg.BitsAllocated
    assert len(seg.PixelData) % 2 == 0
    assert seg.PixelData[(bits + 7) // 8 :] in (b"", b"\0")
