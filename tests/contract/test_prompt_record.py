"""The readable record of prompts."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from tests.phantoms import PhantomSeries, make_series
from tests.readers.acceptances import noise, plan_of
from tests.readers.cases import two
from tests.readers.exports import SOURCES
from tests.readers.reports import dsrdump, items, name_of, record_of
from tests.readers.tools import dcentvfy_errors, dciodvfy_errors

from delineate.adapters.dicom_sr import DicomSrCodec
from delineate.domain.geometry import Box, PatientPoint
from delineate.domain.labelmap import Region
from delineate.domain.prompts import DrawnPrompt, LabelmapPrompt, PointPrompt, Prompt, PromptOrigin

CODEC = DicomSrCodec()
SHAPE = (12, 20, 24)


def prompts_on(series: PhantomSeries) -> list[Prompt]:
    """Return prompts of every kind, drawn on slice 4."""
    geometry = plan_of(series).geometry
    x, y, z = geometry.directions[0].tolist()
    uid, frame = series.slices[4]

    def origin(include: bool) -> PromptOrigin:
        return PromptOrigin("id", include, series.frame_of_reference_uid, uid, frame)

    def on_slice(*places: tuple[float, float]) -> tuple[PatientPoint, ...]:
        return tuple(PatientPoint(*p) for p in geometry.to_patient([(4, j, i) for j, i in places]).tolist())

    return [
        PointPrompt(origin(True), on_slice((3, 4))[0]),
        DrawnPrompt(origin(False), "box", on_slice((2, 2), (2, 9), (8, 9), (8, 2)), (x, y, z)),
        DrawnPrompt(origin(True), "scribble", on_slice((2.25, 3), (4, 5.5), (9, 5)), (x, y, z)),
        DrawnPrompt(origin(True), "scribble", on_slice((7, 7)), (x, y, z)),
        DrawnPrompt(origin(False), "lasso", on_slice((2, 2), (3, 9.5), (8, 6)), (x, y, z)),
        LabelmapPrompt.of(origin(True), Region(Box((1, 2, 3), (3, 5, 8)), noise((2, 3, 5), 1))),
    ]


def record(options: dict[str, Any], **changes: Any) -> tuple[PhantomSeries, list[Prompt], bytes]:
    series = make_series(**options)
    prompts = prompts_on(series)
    return series, prompts, CODEC.encode_prompts(record_of(series, two(SHAPE), {1: prompts, 2: prompts[:1]}, **changes))


def parsed(document: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(document))


def groups(document: bytes) -> list[dict[str, Dataset]]:
    return [
        {name_of(item): item for item in group.ContentSequence}
        for group in items(parsed(document), "CONTAINER")
        if name_of(group) == "Measurement Group"
    ]


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_records_are_valid_and_belong_to_the_study(name: str) -> None:
    series, _, document = record(dict(SOURCES[name]))
    assert dciodvfy_errors(document) == []
    assert dcentvfy_errors([document, *series.part10()]) == []
    assert "Comprehensive 3D SR Document" in dsrdump(document)


@pytest.mark.parametrize("options", [{}, {"multiframe": True, "orientation": "oblique"}])
def test_prompts_are_told_by_codes_in_their_order(options: dict[str, Any]) -> None:
    series, prompts, document = record(options)
    found = groups(document)
    assert len(found) == 7
    for order, (group, prompt) in enumerate(zip(found, prompts, strict=False), 1):
        kind = group["Kind of segmentation prompt"].ConceptCodeSequence[0]
        assert (kind.CodeValue, kind.CodingSchemeDesignator) == (prompt.kind, "99DELINEATE")
        effect = group["Effect of segmentation prompt"].ConceptCodeSequence[0].CodeValue
        assert effect == ("include" if prompt.origin.include else "exclude")
        assert group["Order of segmentation prompt"].MeasuredValueSequence[0].NumericValue == order
        assert group["Tracking Identifier"].TextValue == "finding 1"
        assert ("Thickness of stroke" in group) == (prompt.kind == "scribble")
        (image,) = group["Source of Measurement"].ReferencedSOPSequence
        assert (image.ReferencedSOPInstanceUID, image.get("ReferencedFrameNumber", 1)) == series.slices[4]
        assert ("ReferencedFrameNumber" in image) == series.spec.multiframe
    thickness = found[2]["Thickness of stroke"].MeasuredValueSequence[0]
    assert (thickness.NumericValue, thickness.MeasurementUnitsCodeSequence[0].CodeValue) == (2, "{voxels}")
    assert found[6]["Tracking Identifier"].TextValue == "finding 2"
    (scheme,) = parsed(document).CodingSchemeIdentificationSequence
    assert scheme.CodingSchemeDesignator == "99DELINEATE"


def test_locations_are_where_they_were_drawn() -> None:
    series, prompts, document = record({"orientation": "oblique"})
    found = groups(document)[:6]
    shapes = [g["Location of segmentation prompt"].GraphicType for g in found[:5]]
    assert shapes == ["POINT", "POLYGON", "POLYLINE", "POINT", "POLYGON"]
    assert "Location of segmentation prompt" not in found[5]
    for group, prompt in zip(found, prompts[:5], strict=False):
        item = group["Location of segmentation prompt"]
        assert item.ReferencedFrameOfReferenceUID == series.frame_of_reference_uid
        drawn = (prompt.point,) if isinstance(prompt, PointPrompt) else prompt.points  # type: ignore[union-attr]
        expected = np.array([p.as_tuple() for p in drawn])
        stored = np.array(item.GraphicData).reshape(-1, 3)
        if item.GraphicType == "POLYGON":
            assert np.array_equal(stored[0], stored[-1])
            stored = stored[:-1]
        assert np.allclose(stored, expected, atol=1e-4)


def test_a_lasso_that_leaves_its_plane_by_rounding_is_laid_flat() -> None:
    series = make_series()
    points = tuple(PatientPoint(x, y, 1 + z) for x, y, z in ((0, 0, 0.001), (9, 1, -0.002), (8, 9, 0.001), (1, 8, 0)))
    lasso = DrawnPrompt(PromptOrigin("id", True, series.frame_of_reference_uid), "lasso", points, (0.0, 0.0, 1.0))
    document = CODEC.encode_prompts(record_of(series, two(SHAPE), {1: [lasso]}))
    (group,) = groups(document)
    stored = np.array(group["Location of segmentation prompt"].GraphicData).reshape(-1, 3)
    assert np.ptp(stored[:, 2]) == 0
    assert np.abs(stored[:-1] - [p.as_tuple() for p in points]).max() < 0.003


def test_an_image_of_another_series_is_not_referenced() -> None:
    series = make_series()
    origin = PromptOrigin("id", True, series.frame_of_reference_uid, generate_uid(), 1)
    document = CODEC.encode_prompts(record_of(series, two(SHAPE), {1: [PointPrompt(origin, PatientPoint(1, 2, 3))]}))
    (group,) = groups(document)
    assert "Source of Measurement" not in group
    assert group["Location of segmentation prompt"].GraphicData == [1, 2, 3]


def test_encoding_twice_gives_the_same_bytes() -> None:
    series = make_series()
    made = record_of(series, two(SHAPE), {1: prompts_on(series)})
    assert CODEC.encode_prompts(made) == CODEC.encode_prompts(made)
    assert CODEC.compare(CODEC.encode_prompts(made), CODEC.encode_prompts(made)).coerced == ()
