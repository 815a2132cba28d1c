"""The next version of a stored segmentation: what is kept of it, and how it is referenced."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pydicom
import pytest
from highdicom.sr import CodedConcept as Code
from pydicom import Dataset
from tests.phantoms import PhantomSeries, make_series
from tests.readers.acceptances import ANATOMY, KIDNEY, LEFT, Mask, acceptance_of, blob, plan_of
from tests.readers.by_position import position_masks
from tests.readers.cases import two
from tests.readers.foreign_segs import as_bytes, foreign_seg, reference_of

from delineate.adapters.dicom_seg import DicomSegCodec
from delineate.domain.labelmap import Labelmap
from delineate.domain.ports import AcceptedSegment, SegmentationEncoding
from delineate.domain.segment import CodedConcept
from delineate.domain.segmentation import StoredSegment, StoredSegmentation

CODEC = DicomSegCodec()
SHAPE = (12, 20, 24)
RIGHT = CodedConcept("24028007", "SCT", "Right")


@pytest.fixture(scope="module")
def series() -> PhantomSeries:
    return make_series(shape=SHAPE, orientation="oblique")


@pytest.fixture(scope="module", params=["BINARY", "LABELMAP"])
def encoding(request: pytest.FixtureRequest) -> SegmentationEncoding:
    encoding: SegmentationEncoding = request.param
    return encoding


@pytest.fixture(scope="module")
def first(series: PhantomSeries, encoding: SegmentationEncoding) -> pydicom.FileDataset:
    """Version 1, of another maker."""
    return foreign_seg(series, two(SHAPE), encoding)


def opened(first: pydicom.FileDataset, series: PhantomSeries) -> StoredSegmentation:
    return CODEC.read(as_bytes(first), reference_of(first), plan_of(series))


def going_on(segment: StoredSegment, number: int, **changes: Any) -> AcceptedSegment:
    """Return an opened segment as it is accepted, untouched but for ``changes``."""
    given: dict[str, Any] = {
        "description": segment.description,
        "labelmap": segment.labelmap.labelmap(SHAPE),
        "tracking_id": segment.tracking_id or "new",
        "tracking_uid": segment.tracking_uid or "2.25.7",
        "manual": segment.origin.manual,
        "predicted": False,
        "untouched": True,
        "origin": segment.origin,
    }
    return AcceptedSegment(number=number, **(given | changes))


def next_version(
    first: pydicom.FileDataset, series: PhantomSeries, encoding: SegmentationEncoding, *segments: AcceptedSegment
) -> Dataset:
    acceptance = replace(
        acceptance_of(series, [], encoding=encoding), segments=segments, predecessor=reference_of(first)
    )
    return pydicom.dcmread(io.BytesIO(CODEC.encode(acceptance, series.headers())))


def item(seg: Dataset, number: int) -> Dataset:
    (found,) = (item for item in seg.SegmentSequence if item.SegmentNumber == number)
    assert isinstance(found, Dataset)
    return found


def without(dataset: Dataset, *keywords: str) -> dict[str, Any]:
    light = Dataset()
    light.update({element.tag: element for element in dataset if element.keyword not in keywords})
    as_json: dict[str, Any] = light.to_json_dict()
    return as_json


def test_untouched_segments_keep_voxels_and_every_attribute(
    first: pydicom.FileDataset, series: PhantomSeries, encoding: SegmentationEncoding
) -> None:
    stored = opened(first, series)
    seg = next_version(first, series, encoding, *(going_on(s, n) for n, s in enumerate(stored.segments, 1)))
    masks = position_masks(as_bytes(seg), series)
    for number, mask in enumerate(two(SHAPE), 1):
        assert np.array_equal(masks[number], mask)
    assert without(item(seg, 2)) == without(item(first, 2))
    added = ("TrackingID", "TrackingUID")
    assert without(item(seg, 1), *added) == without(item(first, 1)), "the first had no tracking identifiers"
    private = item(seg, 1).private_block(0x0063, "ACME")
    assert private[1].value == "confidence 0.9"


def test_a_version_references_its_predecessor_with_a_purpose(
    first: pydicom.FileDataset, series: PhantomSeries, encoding: SegmentationEncoding
) -> None:
    seg = next_version(first, series, encoding, going_on(opened(first, series).segments[0], 1))
    (reference,) = seg.ReferencedInstanceSequence
    assert reference.ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert reference.ReferencedSOPClassUID == first.SOPClassUID
    (purpose,) = reference.PurposeOfReferenceCodeSequence
    assert (purpose.CodeValue, purpose.CodingSchemeDesignator) == ("129010", "DCM")
    source, predecessor = seg.ReferencedSeriesSequence
    assert source.SeriesInstanceUID == series.series_uid
    assert predecessor.SeriesInstanceUID == first.SeriesInstanceUID
    assert [i.ReferencedSOPInstanceUID for i in predecessor.ReferencedInstanceSequence] == [first.SOPInstanceUID]
    assert opened(pydicom.dcmread(io.BytesIO(as_bytes(seg))), series).read_only is None


def test_a_first_version_references_none(series: PhantomSeries) -> None:
    seg = pydicom.dcmread(io.BytesIO(CODEC.encode(acceptance_of(series, two(SHAPE)), series.headers())))
    assert "ReferencedInstanceSequence" not in seg
    assert len(seg.ReferencedSeriesSequence) == 1


def test_a_segment_that_the_model_refined_names_the_model_and_keeps_the_rest(
    first: pydicom.FileDataset, series: PhantomSeries, encoding: SegmentationEncoding
) -> None:
    mask: Mask = blob(SHAPE, (0.5, 0.5, 0.2), 0.2)
    changes: dict[str, Any] = {"labelmap": Labelmap.from_array(mask), "untouched": False, "predicted": True}
    segment = going_on(opened(first, series).segments[0], 1, **changes)
    kept, before = item(next_version(first, series, encoding, segment), 1), item(first, 1)
    assert kept.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert kept.SegmentAlgorithmName == "Delineate demo model"
    assert kept.SegmentationAlgorithmIdentificationSequence[0].AlgorithmSource == "Delineate"
    assert kept.SegmentDescription.startswith("Seen by Dr. Müller Research use only")
    ours = (
        "SegmentAlgorithmType",
        "SegmentAlgorithmName",
        "SegmentationAlgorithmIdentificationSequence",
        "SegmentDescription",
        "TrackingID",
        "TrackingUID",
    )
    assert without(kept, *ours) == without(before, *ours)


def test_a_correction_by_hand_leaves_the_algorithm_that_it_corrects(
    first: pydicom.FileDataset, series: PhantomSeries, encoding: SegmentationEncoding
) -> None:
    segment = going_on(opened(first, series).segments[0], 1, untouched=False, predicted=False)
    kept = item(next_version(first, series, encoding, segment), 1)
    assert (kept.SegmentAlgorithmType, kept.SegmentAlgorithmName) == ("SEMIAUTOMATIC", "Total")
    segment = going_on(opened(first, series).segments[0], 1, untouched=False, predicted=False, manual=True)
    drawn_anew = item(next_version(first, series, encoding, segment), 1)
    assert drawn_anew.SegmentAlgorithmType == "MANUAL"
    assert "SegmentAlgorithmName" not in drawn_anew
    assert "SegmentationAlgorithmIdentificationSequence" not in drawn_anew


def test_another_name_and_colour_change_nothing_else(
    first: pydicom.FileDataset, series: PhantomSeries, encoding: SegmentationEncoding
) -> None:
    stored = opened(first, series).segments[1]
    renamed = replace(stored.description, label="Metastasis", colour=(1, 2, 3))
    seg = next_version(first, series, encoding, going_on(stored, 2, description=renamed))
    kept, changed = item(seg, 1), ("SegmentNumber", "SegmentLabel", "RecommendedDisplayCIELabValue")
    assert kept.SegmentLabel == "Metastasis"
    assert without(kept, *changed) == without(item(first, 2), *changed)
    read = CODEC.read(as_bytes(seg), reference_of(seg), plan_of(series)).segments[0]
    assert read.description == renamed


def test_another_type_drops_the_site_and_another_side_keeps_other_modifiers(
    first: pydicom.FileDataset, series: PhantomSeries, encoding: SegmentationEncoding
) -> None:
    liver, lesion = opened(first, series).segments
    left = replace(liver.description, laterality=LEFT)
    kidney = replace(lesion.description, category=ANATOMY, type=KIDNEY, region=None, laterality=RIGHT)
    seg = next_version(
        first, series, encoding, going_on(liver, 1, description=left), going_on(lesion, 2, description=kidney)
    )
    (kind,) = item(seg, 1).SegmentedPropertyTypeCodeSequence
    assert [m.CodeMeaning for m in kind.SegmentedPropertyTypeModifierCodeSequence] == ["Entire", "Left"]
    assert "AnatomicRegionSequence" in item(first, 2)
    assert "AnatomicRegionSequence" not in item(seg, 2)
    read = CODEC.read(as_bytes(seg), reference_of(seg), plan_of(series))
    assert [segment.description for segment in read.segments] == [left, kidney]


def test_a_finding_keeps_the_modifiers_of_its_region_and_takes_its_side_there(
    first: pydicom.FileDataset, series: PhantomSeries, encoding: SegmentationEncoding
) -> None:
    region = item(first, 2).AnatomicRegionSequence[0]
    region.AnatomicRegionModifierSequence = [Code("261183002", "SCT", "Upper")]
    _, lesion = opened(first, series).segments
    assert lesion.description.region == CodedConcept("10200004", "SCT", "Liver")
    right = replace(lesion.description, laterality=RIGHT)
    seg = next_version(first, series, encoding, going_on(lesion, 2, description=right))
    (kept,) = item(seg, 1).AnatomicRegionSequence
    assert [m.CodeMeaning for m in kept.AnatomicRegionModifierSequence] == ["Upper", "Right"]
    moved = replace(lesion.description, region=KIDNEY, laterality=RIGHT)
    seg = next_version(first, series, encoding, going_on(lesion, 2, description=moved))
    (other,) = item(seg, 1).AnatomicRegionSequence
    assert [m.CodeMeaning for m in other.AnatomicRegionModifierSequence] == ["Right"]
    assert "SegmentedPropertyTypeModifierCodeSequence" not in item(seg, 1).SegmentedPropertyTypeCodeSequence[0]
    assert CODEC.read(as_bytes(seg), reference_of(seg), plan_of(series)).segments[0].description.codes == moved.codes
