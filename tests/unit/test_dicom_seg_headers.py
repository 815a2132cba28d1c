"""What is taken over from the source's headers."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from tests.phantoms import PhantomSeries, make_kind, make_series
from tests.readers.acceptances import acceptance_of
from tests.readers.cases import CASES, Case, two

from delineate.adapters.dicom_seg import DicomSegCodec
from delineate.domain.errors import SeriesChanged

Headers = list[dict[str, Any]]
NAMED = [case for case in CASES if "patient_name" in case.options]


def seg_of(series: PhantomSeries, headers: Headers) -> pydicom.FileDataset:
    seg = DicomSegCodec().encode(acceptance_of(series, two(series.voxels.shape)), headers)
    return pydicom.dcmread(io.BytesIO(seg))


@pytest.mark.parametrize("case", NAMED, ids=lambda case: case.name)
def test_names_survive_the_change_of_character_set(case: Case) -> None:
    series = case.series()
    seg = seg_of(series, series.headers())
    assert seg.SpecificCharacterSet == "ISO_IR 192"
    assert str(seg.PatientName) == case.options["patient_name"]


def test_patient_and_study_are_the_archives() -> None:
    series = make_series()
    headers = series.headers()
    for header in headers:
        header["00100020"] = {"vr": "LO", "Value": ["CORRECTED"]}
        header["00081030"] = {"vr": "LO", "Value": ["Abdomen"]}
        header["00101010"] = {"vr": "AS", "Value": ["055Y"]}
    seg = seg_of(series, headers)
    assert (seg.PatientID, seg.StudyDescription, seg.PatientAge) == ("CORRECTED", "Abdomen", "055Y")
    assert (seg.StudyInstanceUID, seg.AccessionNumber, seg.StudyDate) == (series.study_uid, "A1", "20260102")
    assert seg.FrameOfReferenceUID == series.frame_of_reference_uid


def test_absent_attributes_of_type_2_are_empty() -> None:
    series = make_series()
    headers = series.headers()
    for header in headers:
        for tag in ("00100010", "00100020", "00100030", "00100040", "00200010", "00080050", "00080090", "00080030"):
            header.pop(tag, None)
        header["00080020"] = {"vr": "DA"}
    seg = seg_of(series, headers)
    for keyword in ("PatientName", "PatientID", "PatientSex", "StudyID", "StudyDate", "StudyTime", "AccessionNumber"):
        assert keyword in seg
        assert not seg[keyword].value


def test_bulk_data_private_and_foreign_attributes_do_no_harm() -> None:
    series = make_series()
    headers = series.headers()
    for header in headers:
        header["7FE00010"] = {"vr": "OW", "BulkDataURI": "http://archive/bulk/1"}
        header["00091001"] = {"vr": "UN", "InlineBinary": "AAAA"}
        header["00104000"] = {"vr": "LT", "BulkDataURI": "http://archive/bulk/2"}
        header["00420011"] = {"vr": "OB", "InlineBinary": "AAAA"}
        header["00200013"] = {"vr": "IS", "Value": [None]}
        header["00101020"] = {"vr": "DS", "Value": ["tall"]}
        header["00080090"] = {"vr": "PN", "Value": [{"Alphabetic": "Referrer^A"}]}
    seg = seg_of(series, headers)
    assert "PatientComments" not in seg
    assert seg.ReferringPhysicianName == "Referrer^A"


def test_unknown_sop_classes_and_series_numbers() -> None:
    series = make_series()
    headers = series.headers()
    for header in headers:
        header["00080016"] = {"vr": "UI", "Value": ["1.2.3.4"]}
        header["00200011"] = {"vr": "IS"}
    seg = seg_of(series, headers)
    assert seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPClassUID == "1.2.3.4"
    assert seg.SeriesNumber == 1000


def test_lossy_compression_is_inherited() -> None:
    series = make_series()
    assert seg_of(series, series.headers()).LossyImageCompression == "00"
    headers = series.headers()
    headers[3]["00282110"] = {"vr": "CS", "Value": ["01"]}
    headers[3]["00282112"] = {"vr": "DS", "Value": [10.5, 2]}
    headers[3]["00282114"] = {"vr": "CS", "Value": ["ISO_15444_1", "ISO_10918_1"]}
    seg = seg_of(series, headers)
    assert seg.LossyImageCompression == "01"
    assert list(seg.LossyImageCompressionRatio) == [10.5, 2]
    assert list(seg.LossyImageCompressionMethod) == ["ISO_15444_1", "ISO_10918_1"]


@pytest.mark.parametrize(("thickness", "expected"), [(None, 3.0), (0.0, 3.0), (5.0, 5.0)])
@pytest.mark.parametrize("multiframe", [False, True])
def test_slice_thickness_and_spacing(thickness: float | None, expected: float, *, multiframe: bool) -> None:
    series = make_series(slice_thickness=thickness, spacing_between_slices=7.0, multiframe=multiframe)
    (measures,) = seg_of(series, series.headers()).SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    assert measures.SliceThickness == expected
    assert measures.SpacingBetweenSlices == 3.0
    assert measures.PixelSpacing == [1.25, 0.8]


def test_positions_are_the_headers_to_the_digit() -> None:
    series = make_series(orientation="oblique", position_decimals=2)
    of_image = {d.SOPInstanceUID: d.ImagePositionPatient for d in series.datasets}
    for frame in seg_of(series, series.headers()).PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        assert frame.PlanePositionSequence[0].ImagePositionPatient == of_image[source.ReferencedSOPInstanceUID]


@pytest.mark.parametrize("multiframe", [False, True])
def test_only_the_chosen_volume_is_referenced(*, multiframe: bool) -> None:
    several = make_kind("b-value", multiframe=multiframe)
    chosen = several.volumes[1]
    seg = seg_of(chosen, several.headers())
    (series,) = seg.ReferencedSeriesSequence
    referenced = [item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence]
    assert referenced == list(chosen.sop_uids)
    assert [item.ReferencedSOPInstanceUID for item in seg.SourceImageSequence] == referenced


def _without_one(headers: Headers) -> None:
    del headers[4]


def _shifted(headers: Headers) -> None:
    headers[4]["00200032"]["Value"][2] += 1.0


def _swapped(headers: Headers) -> None:
    headers[1]["00200032"], headers[2]["00200032"] = headers[2]["00200032"], headers[1]["00200032"]


def _without_position(headers: Headers) -> None:
    headers[2]["00200032"] = {"vr": "DS"}


def _other_size(headers: Headers) -> None:
    headers[2]["00280010"]["Value"] = [21]


def _other_frame_of_reference(headers: Headers) -> None:
    headers[2]["00200052"]["Value"] = ["1.2.3"]


def _turned(headers: Headers) -> None:
    headers[0]["00200037"]["Value"] = [-1, 0, 0, 0, -1, 0]


def _other_spacing(headers: Headers) -> None:
    headers[0]["00280030"]["Value"] = [1.25, 0.9]


def _without_orientation(headers: Headers) -> None:
    del headers[0]["00200037"]


@pytest.mark.parametrize(
    "change",
    [
        _without_one,
        _shifted,
        _swapped,
        _without_position,
        _other_size,
        _other_frame_of_reference,
        _turned,
        _other_spacing,
        _without_orientation,
    ],
)
def test_a_series_that_changed_is_refused(change: Callable[[Headers], None]) -> None:
    series = make_series()
    headers = series.headers()
    change(headers)
    with pytest.raises(SeriesChanged):
        seg_of(series, headers)


def test_further_instances_of_the_series_are_ignored() -> None:
    series = make_series()
    report = Dataset()
    report.SOPInstanceUID = "1.2.3"
    assert seg_of(series, [report.to_json_dict(), *series.headers()]).NumberOfFrames
