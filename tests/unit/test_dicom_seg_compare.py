"""What counts as stored, and what does not."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pydicom
import pytest
from pydicom import Dataset, FileDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from tests.phantoms import make_series, part10
from tests.readers.acceptances import acceptance_of
from tests.readers.cases import two

from delineate.adapters.dicom_seg import DicomSegCodec
from delineate.domain.errors import StoredDifferently

CODEC = DicomSegCodec()


def made(encoding: str = "BINARY", *, shape: tuple[int, int, int] = (12, 20, 24), multiframe: bool = False) -> bytes:
    series = make_series(shape=shape, multiframe=multiframe)
    return CODEC.encode(acceptance_of(series, two(shape), encoding=encoding), series.headers())


SENT = made()
LABELMAP = made("LABELMAP", shape=(12, 64, 72))


def changed(change: Callable[[FileDataset], object], sent: bytes = SENT) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(sent))
    change(dataset)
    return part10(dataset)


def set_to(keyword: str, value: object) -> Callable[[Dataset], object]:
    return lambda dataset: setattr(dataset, keyword, value)


def test_the_same_bytes_are_stored() -> None:
    assert CODEC.compare(SENT, SENT).coerced == ()


@pytest.mark.parametrize("shape", [(12, 20, 24), (12, 8, 9), (12, 20, 23), (9, 19, 23)])
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_other_uncompressed_syntaxes_are_equal(shape: tuple[int, int, int], syntax: pydicom.uid.UID) -> None:
    sent = made(shape=shape)
    received = changed(lambda d: setattr(d.file_meta, "TransferSyntaxUID", syntax), sent)
    assert received != sent
    assert CODEC.compare(sent, received).coerced == ()


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_compressed_labelmaps_are_equal(syntax: pydicom.uid.UID) -> None:
    received = changed(lambda d: d.compress(syntax, generate_instance_uid=False), LABELMAP)
    assert CODEC.compare(LABELMAP, received).coerced == ()


def test_a_compressed_labelmap_with_another_voxel_is_not() -> None:
    def spoil(dataset: FileDataset) -> None:
        dataset.PixelData = bytes([dataset.PixelData[0] ^ 1, *dataset.PixelData[1:]])
        dataset.compress(RLELossless, generate_instance_uid=False)

    with pytest.raises(StoredDifferently, match="voxels of 1 of 8 frames, the first is frame 1"):
        CODEC.compare(LABELMAP, changed(spoil, LABELMAP))


def test_coerced_attributes_are_listed() -> None:
    def coerce(dataset: FileDataset) -> None:
        dataset.PatientName = "Other^Name"
        dataset.InstitutionName = "Hospital"
        del dataset.StudyID
        dataset.StudyTime = None
        dataset.add_new(0x00091001, "LO", "private")
        dataset.SegmentSequence[0].add_new(0x00091001, "LO", "private")

    assert sorted(CODEC.compare(SENT, changed(coerce)).coerced) == [
        "InstitutionName",
        "PatientName",
        "StudyID",
        "StudyTime",
    ]


def test_other_writing_of_the_same_values_is_equal() -> None:
    def rewrite(dataset: FileDataset) -> None:
        for frame in dataset.PerFrameFunctionalGroupsSequence:
            position = frame.PlanePositionSequence[0]
            position.ImagePositionPatient = [f"{float(v):.6f}" for v in position.ImagePositionPatient]
        dataset.PatientName = f"{dataset.PatientName}^^"
        dataset.InstitutionName = ""

    assert CODEC.compare(SENT, changed(rewrite)).coerced == ()


@pytest.mark.parametrize(
    "keyword",
    ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID", "SOPClassUID"],
)
def test_another_identifier_is_another_object(keyword: str) -> None:
    with pytest.raises(StoredDifferently, match=keyword):
        CODEC.compare(SENT, changed(set_to(keyword, "1.2.3")))
    with pytest.raises(StoredDifferently):
        CODEC.compare(SENT, changed(lambda d: d.pop(keyword)) if "SOP" not in keyword else b"")


def _flip_voxel(dataset: FileDataset) -> None:
    dataset.PixelData = bytes([*dataset.PixelData[:-1], dataset.PixelData[-1] ^ 0x80])


def _relabel(dataset: FileDataset) -> None:
    dataset.SegmentSequence[1].SegmentLabel = "Other"


def _recode(dataset: FileDataset) -> None:
    dataset.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeValue = "10200004"


def _without_laterality(dataset: FileDataset) -> None:
    del dataset.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence


def _without_segment(dataset: FileDataset) -> None:
    del dataset.SegmentSequence[1]


def _recolour(dataset: FileDataset) -> None:
    dataset.SegmentSequence[0].RecommendedDisplayCIELabValue = [1, 2, 3]


def _move(dataset: FileDataset) -> None:
    position = dataset.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence[0]
    position.ImagePositionPatient = [float(v) + 0.001 for v in position.ImagePositionPatient]


def _swap_frames(dataset: FileDataset) -> None:
    frames = dataset.PerFrameFunctionalGroupsSequence
    frames[0], frames[1] = frames[1], frames[0]


def _refer_elsewhere(dataset: FileDataset) -> None:
    source = dataset.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    source.ReferencedSOPInstanceUID = "1.2.3"


def _respace(dataset: FileDataset) -> None:
    dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices = "5"


def _without_reference(dataset: FileDataset) -> None:
    del dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence[3]


def _fewer_frames(dataset: FileDataset) -> None:
    dataset.NumberOfFrames -= 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_flip_voxel, "voxels of 1 of"),
        (_relabel, r"SegmentSequence\[2\].SegmentLabel"),
        (_recode, r"SegmentedPropertyTypeCodeSequence\[1\].CodeValue"),
        (_without_laterality, "SegmentedPropertyTypeModifierCodeSequence"),
        (_without_segment, r"SegmentSequence\[2 items, not 1\]"),
        (_recolour, "RecommendedDisplayCIELabValue"),
        (_move, "ImagePositionPatient"),
        (_swap_frames, r"PerFrameFunctionalGroupsSequence\[1\]"),
        (_refer_elsewhere, "ReferencedSOPInstanceUID"),
        (_respace, "SpacingBetweenSlices"),
        (_without_reference, "ReferencedInstanceSequence"),
        (_fewer_frames, "NumberOfFrames"),
    ],
)
def test_another_segmentation_is_named(change: Callable[[FileDataset], object], named: str) -> None:
    with pytest.raises(StoredDifferently, match=named):
        CODEC.compare(SENT, changed(change))


@pytest.mark.parametrize("stop", [0, 10, 200, 1000, 4000, -50])
def test_what_cannot_be_read_is_not_stored(stop: int) -> None:
    with pytest.raises(StoredDifferently):
        CODEC.compare(SENT, SENT[:stop])


def test_something_else_is_not_stored() -> None:
    with pytest.raises(StoredDifferently, match="SOPInstanceUID"):
        CODEC.compare(SENT, made())
    with pytest.raises(StoredDifferently):
        CODEC.compare(SENT, make_series().part10()[0])
    with pytest.raises(StoredDifferently):
        CODEC.compare(SENT, bytes(np.random.default_rng(1).integers(0, 256, 5000, dtype=np.uint8)))


def test_the_sentence_holds_no_patient_data() -> None:
    with pytest.raises(StoredDifferently) as raised:
        CODEC.compare(SENT, changed(set_to("PatientID", "SECRET-ID")))
    assert "SECRET-ID" not in raised.value.detail
    assert "PHANTOM-1" not in raised.value.detail
