"""What the reports of measurements hold, as independent readers see them."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom.sr import CodedConcept as Code
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid
from tests.phantoms import make_series
from tests.readers.acceptances import KIDNEY, Mask, blob, plan_of, segment_of
from tests.readers.cases import two
from tests.readers.exports import SOURCES
from tests.readers.reports import (
    dsrdump,
    groups_of,
    items,
    measurements,
    name_of,
    numbers_by_segment,
    numbers_of,
    report_of,
)
from tests.readers.tools import dcentvfy_errors, dciodvfy_errors

from delineate.adapters.dicom_sr import DicomSrCodec
from delineate.adapters.marching_cubes import MarchingCubes
from delineate.domain.errors import StoredDifferently
from delineate.domain.labelmap import Labelmap
from delineate.domain.measurements import PERCENTILES, Measurements, measure
from delineate.domain.report import MeasurementReport, ReportedSegment
from delineate.domain.segment import CodedConcept, SegmentDescription
from delineate.domain.segmentation import InstanceReference
from delineate.domain.surface import CellSurfaces
from delineate.domain.value_scale import BECQUEREL_PER_ML, HOUNSFIELD, MR, SUV_BW, ValueScale
from delineate.domain.volume import Volume

CODEC = DicomSrCodec()
SURFACES = CellSurfaces.of(MarchingCubes())
SHAPE = (12, 20, 24)
LESION = SegmentDescription(
    label="Lesion",
    category=CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure"),
    type=CodedConcept("108369006", "SCT", "Neoplasm"),
    laterality=CodedConcept("24028007", "SCT", "Right"),
)


def report(options: dict[str, Any] | None = None, masks: list[Mask] | None = None, **changes: Any) -> MeasurementReport:
    return report_of(make_series(**(options or {})), masks or two(SHAPE), **changes)


def parsed(document: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(document))


def groups(dataset: Dataset) -> list[Dataset]:
    return groups_of(dataset, "1411")


def values_of(group: Dataset, name: str) -> list[str]:
    """Return the codes or texts of a group's items of that name."""
    return [
        str(item.ConceptCodeSequence[0].CodeMeaning if item.ValueType == "CODE" else item.TextValue)
        for item in group.ContentSequence
        if name_of(item) == name
    ]


def expected_numbers(measured: Measurements, name: str, unit: str) -> dict[tuple[str, str], tuple[float, str]]:
    values = measured.values
    ranks = {5: "5th percentile", 25: "25th percentile", 50: "Median", 75: "75th percentile", 95: "95th percentile"}
    return {
        ("Volume", ""): (measured.volume_ml, "cm3"),
        ("Volume of Mesh", ""): (measured.mesh_volume_ml, "cm3"),
        ("Surface Area of Mesh", ""): (measured.surface_mm2, "mm2"),
        ("Long Axis", ""): (measured.in_plane.longest.length_mm, "mm"),
        ("Short Axis", ""): (measured.in_plane.perpendicular.length_mm, "mm"),
        ("Maximum 3D Diameter of a Mesh", ""): (measured.longest.length_mm, "mm"),
        (name, "Mean"): (values.mean, unit),
        (name, "Standard Deviation"): (values.standard_deviation, unit),
        (name, "Minimum"): (values.minimum, unit),
        (name, "Maximum"): (values.maximum, unit),
        **{(name, ranks[r]): (v, unit) for r, v in zip(PERCENTILES, values.percentiles, strict=True)},
    }


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_documents_are_valid_and_belong_to_the_study(name: str) -> None:
    series = make_series(**SOURCES[name])
    made = report_of(series, two(SHAPE))
    document = CODEC.encode(made)
    assert dciodvfy_errors(document) == []
    assert dcentvfy_errors([document, made.segmentation, *series.part10()]) == []
    assert "Comprehensive SR Document" in dsrdump(document)


def test_a_report_on_a_labelmap_is_valid_but_for_what_the_validator_does_not_know() -> None:
    """The dicom3tools of 2022 do not know Label Map Segmentation (2023) as a segmentation, and no more does dcmtk."""
    document = CODEC.encode(report(acceptance={"encoding": "LABELMAP"}))
    unknown = "Shall not be present for Referenced SOP Class that is not segmentation"
    assert [error for error in dciodvfy_errors(document) if unknown not in error] == []
    assert numbers_of(groups(parsed(document))[1])["Volume", ""] == (measurements(2).volume_ml, "cm3")


def test_numbers_are_those_that_were_measured() -> None:
    made = report()
    found = numbers_by_segment(parsed(CODEC.encode(made)))
    for numbers, segment in zip(found, made.segments, strict=True):
        assert numbers == expected_numbers(segment.measurements, "X-Ray Attenuation", "[hnsf'U]")


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_diameters_are_drawn_on_their_image(name: str) -> None:
    """Positions on the image (PS3.3 C.18.6.1.1) become patient positions by the image's own headers (C.7.6.2.1.1)."""
    series = make_series(**SOURCES[name])
    (mask,) = masks = two(SHAPE)[:1]
    volume = Volume(plan_of(series), np.zeros(SHAPE, np.float32))
    measured = measure(Labelmap.from_array(mask), volume, SURFACES, ValueScale(HOUNSFIELD))
    document = CODEC.encode(report_of(series, masks, segments=(ReportedSegment(1, measured),)))
    assert dciodvfy_errors(document) == []
    (group,) = groups_of(parsed(document), "1501")
    plane = measured.in_plane
    drawn = [(item, *item.ContentSequence) for item in group.ContentSequence if item.ValueType == "NUM"]
    for (number, line), diameter in zip(drawn, (plane.longest, plane.perpendicular), strict=True):
        (image,) = line.ContentSequence[0].ReferencedSOPSequence
        uid, frame = series.slices[plane.k]
        assert (image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber", 1)) == (uid, frame)
        columns_rows = np.reshape(line.GraphicData, (2, 2)) - 0.5
        ends = [(series.affine @ (plane.k, row, column, 1))[:3] for column, row in columns_rows]
        np.testing.assert_allclose(ends, [end.as_tuple() for end in diameter.ends], atol=1e-3)
        assert float(number.MeasuredValueSequence[0].NumericValue) == pytest.approx(np.linalg.norm(np.subtract(*ends)))


def test_highdicom_reads_the_groups_back() -> None:
    made = report()
    with io.BytesIO(CODEC.encode(made)) as file:
        read: Any = highdicom.sr.srread(file).content
    seg = parsed(made.segmentation)
    for segment, item in zip(made.segments, seg.SegmentSequence, strict=True):
        (group,) = read.get_volumetric_roi_measurement_groups(tracking_uid=item.TrackingUID)
        assert group.tracking_identifier == item.TrackingID
        assert group.finding_type == codes.SCT.Kidney
        assert group.referenced_segment.referenced_segment_numbers == [segment.number]
        assert group.referenced_segment.referenced_sop_instance_uid == seg.SOPInstanceUID
        (volume,) = group.get_measurements(codes.SCT.Volume)
        assert volume.value == segment.measurements.volume_ml
        values = group.get_measurements(codes.DCM.XRayAttenuation)
        assert [v.value for v in values if v.derivation == codes.SCT.Maximum] == [segment.measurements.values.maximum]


@pytest.mark.parametrize(
    ("modality", "scale", "name", "unit"),
    [
        ("MR", MR, "MR signal intensity", "1"),
        ("PT", ValueScale(SUV_BW, 0.01), "SUVbw", "{SUVbw}g/ml"),
        ("PT", ValueScale(BECQUEREL_PER_ML, note="No SUV: weight."), "Nuclear Medicine Tomographic Activity", "Bq/ml"),
        ("CT", ValueScale(CodedConcept("1", "UCUM", "no units"), note="No unit."), "Voxel value", "1"),
    ],
)
def test_values_are_named_by_what_they_measure(modality: str, scale: ValueScale, name: str, unit: str) -> None:
    document = CODEC.encode(report({"modality": modality}, scale=scale))
    assert dciodvfy_errors(document) == []
    group = groups(parsed(document))[0]
    assert numbers_by_segment(parsed(document))[0] == expected_numbers(measurements(1), name, unit)
    assert values_of(group, "Comment") == ([scale.note] if scale.note else [])


def test_a_segment_of_anatomy_is_its_own_site_with_its_side() -> None:
    first, second = groups(parsed(CODEC.encode(report())))
    for group, sides in ((first, ["Left"]), (second, [])):
        assert values_of(group, "Finding category") == ["Anatomical Structure"]
        assert values_of(group, "Finding") == values_of(group, "Finding Site") == ["Kidney"]
        (site,) = (i for i in group.ContentSequence if name_of(i) == "Finding Site")
        assert [i.ConceptCodeSequence[0].CodeMeaning for i in site.get("ContentSequence") or []] == sides
        assert "SegmentedPropertyTypeModifierCodeSequence" not in site.ConceptCodeSequence[0]


def test_a_lesion_has_the_site_that_the_segmentation_states() -> None:
    mask = blob(SHAPE, (0.5, 0.5, 0.5), 0.3)
    lesion = replace(LESION, region=KIDNEY)
    document = CODEC.encode(report(masks=[mask], acceptance={"segments": (segment_of(mask, description=lesion),)}))
    assert dciodvfy_errors(document) == []
    (group,) = groups(parsed(document))
    assert (values_of(group, "Finding"), values_of(group, "Finding Site")) == (["Neoplasm"], ["Kidney"])
    (site,) = (i for i in group.ContentSequence if name_of(i) == "Finding Site")
    assert site.ContentSequence[0].ConceptCodeSequence[0].CodeMeaning == "Right"


def test_codes_in_snomed_rt_are_known_too() -> None:
    """As dcmqi and Slicer wrote them for years."""
    made = report(masks=[blob(SHAPE, (0.5, 0.5, 0.5), 0.3)])
    seg = parsed(made.segmentation)
    (item,) = seg.SegmentSequence
    (kind,) = item.SegmentedPropertyTypeCodeSequence
    item.SegmentedPropertyCategoryCodeSequence = [Code("T-D000A", "SRT", "Anatomical Structure")]
    kind.CodeValue, kind.CodingSchemeDesignator = "T-71000", "SRT"
    kind.SegmentedPropertyTypeModifierCodeSequence = [Code("G-A101", "SRT", "Left")]
    with io.BytesIO() as file:
        seg.save_as(file)
        (group,) = groups(parsed(CODEC.encode(replace(made, segmentation=file.getvalue()))))
    (site,) = (i for i in group.ContentSequence if name_of(i) == "Finding Site")
    assert site.ConceptCodeSequence[0].CodeMeaning == "Kidney"
    assert site.ContentSequence[0].ConceptCodeSequence[0].CodeMeaning == "Left"


def test_a_lesion_without_a_site_keeps_its_side() -> None:
    mask = blob(SHAPE, (0.5, 0.5, 0.5), 0.3)
    document = CODEC.encode(report(masks=[mask], acceptance={"segments": (segment_of(mask, description=LESION),)}))
    assert dciodvfy_errors(document) == []
    (group,) = groups(parsed(document))
    assert values_of(group, "Finding Site") == []
    (finding,) = (i for i in group.ContentSequence if name_of(i) == "Finding")
    (side,) = finding.ContentSequence
    assert (name_of(side), side.ConceptCodeSequence[0].CodeMeaning) == ("Laterality", "Right")


def test_accepting_neither_verifies_nor_finalises() -> None:
    document = parsed(CODEC.encode(report()))
    assert (document.CompletionFlag, document.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert document.PreliminaryFlag == "PRELIMINARY"
    assert "VerifyingObserverSequence" not in document


def test_a_person_and_a_device_observed_and_it_says_for_what() -> None:
    made = report()
    seg, document = parsed(made.segmentation), parsed(CODEC.encode(made))
    root = {name_of(item): item for item in document.ContentSequence}
    assert root["Person Observer Name"].PersonName == "Müller^Ada"
    assert root["Device Observer Serial Number"].TextValue == seg.DeviceSerialNumber
    other = {name_of(item): item for item in parsed(CODEC.encode(report())).ContentSequence}
    assert root["Device Observer UID"]["UID"].value == other["Device Observer UID"]["UID"].value
    assert "not a medical device" in root["Comment"].TextValue
    assert root["Procedure reported"].ConceptCodeSequence[0].CodeMeaning == "CT unspecified body region"
    assert (document.Manufacturer, document.SoftwareVersions) == (seg.Manufacturer, seg.SoftwareVersions)


@pytest.mark.parametrize(("creator", "names"), [("ada", ["ada^"]), ("", [])])
def test_a_user_need_not_have_two_names(creator: str, names: list[str]) -> None:
    document = CODEC.encode(report(acceptance={"creator": creator}))
    assert dciodvfy_errors(document) == []
    assert [item.PersonName for item in items(parsed(document), "PNAME")] == names


def test_authors_are_named_by_segment() -> None:
    both = (ReportedSegment(1, measurements(), ("Ada Müller", "Hopper, Grace")), ReportedSegment(2, measurements()))
    document = CODEC.encode(report(segments=both))
    assert dciodvfy_errors(document) == []
    first, second = groups(parsed(document))
    assert [item.PersonName for item in items(first, "PNAME")] == ["Müller^Ada", "Hopper^Grace"]
    assert values_of(first, "Observer Type") == ["Person", "Person"]
    assert list(items(second, "PNAME")) == []


def test_identity_and_dates_are_those_of_the_segmentation() -> None:
    made = report({"patient_name": "Θεοδωράκης^Άννα=山田^花子"})
    seg, document = parsed(made.segmentation), parsed(CODEC.encode(made))
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "StudyTime", "ContentDate", "ContentTime"):
        assert document[keyword].value == seg[keyword].value
    assert (document.SOPInstanceUID, document.SeriesInstanceUID) == (made.sop_instance_uid, made.series_instance_uid)
    assert document.SeriesDescription == "Measurements: AI-assisted: phantom"
    assert document.SeriesNumber == seg.SeriesNumber + 1


def test_odd_values_of_the_patient_are_kept() -> None:
    series = make_series()
    for dataset in series.datasets:
        dataset.PatientSex = "U"
        dataset.TimezoneOffsetFromUTC = "-0500"
    document = parsed(CODEC.encode(report_of(series, two(SHAPE))))
    assert (document.PatientSex, document.TimezoneOffsetFromUTC) == ("U", "-0500")


def test_segmentation_and_source_images_are_evidence() -> None:
    series = make_series(multiframe=True, instances=2)
    made = report_of(series, two(SHAPE))
    (study,) = parsed(CODEC.encode(made)).CurrentRequestedProcedureEvidenceSequence
    found = {
        s.SeriesInstanceUID: [i.ReferencedSOPInstanceUID for i in s.ReferencedSOPSequence]
        for s in study.ReferencedSeriesSequence
    }
    seg = parsed(made.segmentation)
    assert found == {seg.SeriesInstanceUID: [seg.SOPInstanceUID], series.series_uid: list(series.sop_uids)}


def test_a_version_names_the_documents_before_it() -> None:
    before = InstanceReference(generate_uid(), generate_uid(), codes_of_comprehensive_sr())
    document = CODEC.encode(report(predecessors=(before,)))
    assert dciodvfy_errors(document) == []
    (study,) = parsed(document).PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (item,) = series.ReferencedSOPSequence
    assert (series.SeriesInstanceUID, item.ReferencedSOPInstanceUID) == (
        before.series_instance_uid,
        before.sop_instance_uid,
    )


def codes_of_comprehensive_sr() -> str:
    return str(pydicom.uid.ComprehensiveSRStorage)


def test_encoding_twice_gives_the_same_bytes() -> None:
    made = report()
    assert CODEC.encode(made) == CODEC.encode(made)


def test_what_comes_back_may_be_encoded_anew() -> None:
    sent = CODEC.encode(report())
    received = parsed(sent)
    received.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    received.InstitutionName = "Elsewhere"
    with io.BytesIO() as file:
        received.save_as(file, implicit_vr=True, little_endian=True)
        difference = CODEC.compare(sent, file.getvalue())
    assert difference.coerced == ("InstitutionName",)
    assert CODEC.compare(sent, sent).coerced == ()


@pytest.mark.parametrize("keyword", ["PatientID", "SOPInstanceUID", "VerificationFlag", "ContentSequence"])
def test_another_document_is_not_what_was_stored(keyword: str) -> None:
    sent = CODEC.encode(report())
    received = parsed(sent)
    if keyword == "ContentSequence":
        next(items(received, "NUM")).MeasuredValueSequence[0].NumericValue = "5"
    else:
        received[keyword].value = "VERIFIED" if keyword == "VerificationFlag" else "1.2.3"
    with io.BytesIO() as file:
        received.save_as(file)
        with pytest.raises(StoredDifferently, match=keyword):
            CODEC.compare(sent, file.getvalue())
    with pytest.raises(StoredDifferently, match="cannot be read"):
        CODEC.compare(sent, b"nothing")


def test_numbers_survive_as_decimal_strings() -> None:
    """Nine digits fit 16 characters whatever the exponent."""
    made = report(segments=(ReportedSegment(1, measurements(-1.23456789e-7)),))
    for item in items(parsed(CODEC.encode(made)), "NUM"):
        (value,) = item.MeasuredValueSequence
        assert len(str(value.NumericValue.original_string)) <= 16
        assert np.float64(value.NumericValue) == value.FloatingPointValue
