"""What exported files hold, as independent readers see it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
import trimesh
from tests.phantoms import make_series
from tests.readers.acceptances import SPLEEN, Mask, blob, noise, plan_of, segment_of
from tests.readers.cases import overlapping, two
from tests.readers.exports import (
    SOURCES,
    centroid_voxels,
    contour_masks,
    dice,
    export_source,
    itk_masks,
    plastimatch_masks,
)
from tests.readers.tools import dcentvfy_errors, dciodvfy_errors

from delineate.adapters.exports import EXPORTERS
from delineate.domain.geometry import Box, PatientPoint
from delineate.domain.labelmap import Region
from delineate.domain.prompts import DrawnPrompt, LabelmapPrompt, PointPrompt, Prompt, PromptOrigin
from delineate.http.schemas import SubmitPrompt

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
SHAPE = (12, 20, 24)


@pytest.fixture(params=sorted(SOURCES))
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(SOURCES[request.param])


def holed(shape: tuple[int, int, int]) -> Mask:
    """Return a part with two holes, one of them with an island, and a second part; on the border in places."""
    mask = np.zeros(shape, np.bool_)
    mask[:9, :14, 2:20] = True
    mask[2:7, 3:11, 5:13] = False
    mask[3:6, 5:8, 7:10] = True
    mask[4:8, 9:11, 15:17] = False
    mask[6:, 16:, 20:] = True
    return mask


# --- NIfTI ----------------------------------------------------------------------------------------


def test_nifti_holds_the_same_voxels_at_the_same_place(options: dict[str, Any], tmp_path: Path) -> None:
    series = make_series(**options)
    masks = two(SHAPE)
    names = EXPORTERS["nifti"].write(export_source(series, masks), tmp_path)
    assert names == ("image.nii.gz", "labelmap.nii.gz", "segments.json")
    read = itk_masks(tmp_path / "labelmap.nii.gz", series)
    assert [np.array_equal(read[n], mask) for n, mask in enumerate(masks, 1)] == [True, True]
    labels: Any = nibabel.load(tmp_path / "labelmap.nii.gz")
    values = np.asarray(labels.dataobj).transpose(2, 1, 0)
    assert [np.array_equal(values == n, mask) for n, mask in enumerate(masks, 1)] == [True, True]
    image: Any = nibabel.load(tmp_path / "image.nii.gz")
    assert np.array_equal(labels.affine, image.affine)
    assert np.allclose(LPS_TO_RAS @ image.affine @ (3, 2, 1, 1), series.affine @ (1, 2, 3, 1), atol=1e-3)
    assert np.allclose(image.get_sform(), image.get_qform(), atol=1e-4)
    assert image.header.get_xyzt_units()[0] == "mm"
    assert np.array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), series.voxels)


@pytest.mark.parametrize(("modality", "dtype"), [("CT", np.int16), ("PT", np.float32)])
def test_nifti_images_are_integers_where_that_loses_nothing(modality: str, dtype: type, tmp_path: Path) -> None:
    series = make_series(modality=modality)
    EXPORTERS["nifti"].write(export_source(series, two(SHAPE)), tmp_path)
    image: Any = nibabel.load(tmp_path / "image.nii.gz")
    assert image.get_data_dtype() == dtype


def test_overlapping_segments_are_dealt_out_to_several_labelmaps(tmp_path: Path) -> None:
    series, masks = make_series(), overlapping(SHAPE)
    names = EXPORTERS["nifti"].write(export_source(series, masks), tmp_path)
    described = json.loads((tmp_path / "segments.json").read_text())["segments"]
    assert {item["file"] for item in described} == set(names[1:-1]) == {f"labelmap-{n}.nii.gz" for n in (1, 2, 3)}
    for item, mask in zip(described, masks, strict=True):
        assert np.array_equal(itk_masks(tmp_path / item["file"], series)[item["value"]], mask)


def test_segments_are_described_beside_the_labelmap(tmp_path: Path) -> None:
    EXPORTERS["nifti"].write(export_source(make_series(), two(SHAPE)), tmp_path)
    first, second = json.loads((tmp_path / "segments.json").read_text(encoding="utf-8"))["segments"]
    assert (first["label"], first["file"], first["value"]) == ("Niere 1 (腎)", "labelmap.nii.gz", 1)
    assert first["type"] == {"value": "64033007", "scheme": "SCT", "meaning": "Kidney"}
    assert (first["laterality"]["meaning"], second["laterality"]) == ("Left", None)
    assert first["tracking_id"] == "finding 1"


def test_more_than_255_segments_have_values_of_16_bits(tmp_path: Path) -> None:
    series = make_series()
    masks = np.zeros((300, *SHAPE), np.bool_)
    masks.reshape(300, -1)[np.arange(300), np.arange(300) * 7] = True
    source = export_source(series, list(masks), encoding="LABELMAP")
    for name, file in (("nifti", "labelmap.nii.gz"), ("nrrd", "segmentation.seg.nrrd")):
        EXPORTERS[name].write(source, tmp_path)
        read = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(tmp_path / file))
        assert read.dtype == np.uint16
        assert np.array_equal(read.reshape(-1)[np.arange(300) * 7], np.arange(1, 301))


# --- NRRD -----------------------------------------------------------------------------------------


def test_nrrd_holds_the_same_voxels_at_the_same_place(options: dict[str, Any], tmp_path: Path) -> None:
    series = make_series(**options)
    first = noise(SHAPE, 1)
    masks = [first, noise(SHAPE, 2) & ~first]
    (name,) = EXPORTERS["nrrd"].write(export_source(series, masks), tmp_path)
    read = itk_masks(tmp_path / name, series)
    assert [np.array_equal(read[n], mask) for n, mask in enumerate(masks, 1)] == [True, True]


def test_nrrd_says_where_a_finding_is(tmp_path: Path) -> None:
    source = export_source(make_series(), two(SHAPE))
    first = source.acceptance.segments[0]
    lesion = replace(first, description=replace(first.description, region=SPLEEN))
    (name,) = EXPORTERS["nrrd"].write(
        replace(source, acceptance=replace(source.acceptance, segments=(lesion,))), tmp_path
    )
    image: Any = SimpleITK.ReadImage(tmp_path / name)
    tags = image.GetMetaData("Segment0_Tags")
    where = "Kidney~^^~Anatomic codes - DICOM master list~SCT^78961009^Spleen~SCT^7771000^Left|"
    assert where in tags


def test_nrrd_says_of_segments_what_slicer_reads(tmp_path: Path) -> None:
    masks = two(SHAPE)
    (name,) = EXPORTERS["nrrd"].write(export_source(make_series(), masks), tmp_path)
    image: Any = SimpleITK.ReadImage(tmp_path / name)
    said = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    assert said["Segment0_Name"] == "Niere 1 (腎)"
    assert (said["Segment0_ID"], said["Segment1_ID"]) == ("Segment_1", "Segment_2")
    assert (said["Segment1_LabelValue"], said["Segment1_Layer"]) == ("2", "0")
    assert np.allclose([float(c) for c in said["Segment0_Color"].split()], np.array([220, 40, 40]) / 255, atol=1e-5)
    assert said["Segment0_Tags"].startswith("Segmentation.Status:completed|TerminologyEntry:Segmentation category and ")
    codes = (
        "~SCT^91723000^Anatomical Structure~SCT^64033007^Kidney~SCT^7771000^Left~Anatomic codes - DICOM master list~"
    )
    assert codes in said["Segment0_Tags"]
    assert "~SCT^64033007^Kidney~^^~" in said["Segment1_Tags"]

    voxels = np.argwhere(masks[0])[:, ::-1]
    extent = np.stack([voxels.min(axis=0), voxels.max(axis=0)], axis=1).ravel().tolist()
    assert [int(n) for n in said["Segment0_Extent"].split()] == extent


def test_overlapping_segments_lie_in_layers_of_the_nrrd(tmp_path: Path) -> None:
    series, masks = make_series(orientation="oblique"), overlapping(SHAPE)
    (name,) = EXPORTERS["nrrd"].write(export_source(series, masks), tmp_path)
    image: Any = SimpleITK.ReadImage(tmp_path / name)
    for n, mask in enumerate(masks):
        layer = int(image.GetMetaData(f"Segment{n}_Layer"))
        assert np.array_equal(itk_masks(tmp_path / name, series, layer)[n + 1], mask)


# --- meshes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["stl", "obj"])
def test_meshes_are_closed_and_hold_the_volume_at_the_same_place(
    options: dict[str, Any], ending: str, tmp_path: Path
) -> None:
    series = make_series(**options)
    border = np.zeros(SHAPE, np.bool_)
    border[:5, 10:, :9] = True
    masks = [*two(SHAPE), border, np.ones(SHAPE, np.bool_)]
    names = EXPORTERS[ending].write(export_source(series, masks), tmp_path)
    assert names == (*(f"segment-{n}-Niere-{n}.{ending}" for n in range(1, 5)), "segments.json")
    geometry = plan_of(series).geometry
    for mask, name in zip(masks, names, strict=False):
        mesh = trimesh.load_mesh(tmp_path / name)
        assert mesh.is_watertight
        assert mesh.is_winding_consistent
        voxels_mm3 = np.count_nonzero(mask) * geometry.voxel_volume_ml * 1000
        assert mesh.volume == pytest.approx(voxels_mm3, rel=0.02)
        off = geometry.to_continuous(mesh.center_mass)[0] - centroid_voxels(mask)
        assert np.abs(off).max() < 0.5
        corners = geometry.to_continuous(mesh.vertices)
        inside = np.argwhere(mask)
        assert np.abs(corners.min(axis=0) - (inside.min(axis=0) - 0.5)).max() < 0.5
        assert np.abs(corners.max(axis=0) - (inside.max(axis=0) + 0.5)).max() < 0.5


@pytest.mark.parametrize(
    "mask",
    [
        pytest.param(np.pad(np.ones((1, 1, 1), np.bool_), ((3, 8), (4, 15), (5, 18))), id="one voxel"),
        pytest.param(np.pad(np.ones((1, 1, 20), np.bool_), ((3, 8), (4, 15), (2, 2))), id="line"),
        pytest.param(blob(SHAPE, (0.5, 0.5, 0.5), 0.12), id="small"),
        pytest.param(holed(SHAPE), id="holes"),
    ],
)
def test_small_and_thin_segments_keep_their_volume(mask: Mask, tmp_path: Path) -> None:
    name, _ = EXPORTERS["stl"].write(export_source(make_series(), [mask]), tmp_path)
    mesh = trimesh.load_mesh(tmp_path / name)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(np.count_nonzero(mask) * 3.0 * 1.25 * 0.8, rel=0.02)


def test_a_mesh_of_noise_is_closed(tmp_path: Path) -> None:
    name, _ = EXPORTERS["stl"].write(export_source(make_series(), [noise(SHAPE, 5)]), tmp_path)
    assert trimesh.load_mesh(tmp_path / name).is_watertight


# --- RT Structure Set -----------------------------------------------------------------------------


def test_contours_hold_the_same_voxels_at_the_same_place(options: dict[str, Any], tmp_path: Path) -> None:
    series = make_series(**options)
    masks = [*two(SHAPE), holed(SHAPE), noise(SHAPE, 7)]
    (name,) = EXPORTERS["rtstruct"].write(export_source(series, masks), tmp_path)
    read = contour_masks(tmp_path / name, series)
    for n, mask in enumerate(masks, 1):
        assert np.array_equal(read[f"Niere {n} (腎)"], mask)


@pytest.mark.parametrize("name", sorted(set(SOURCES) - {"multi-frame"}))  # of which plastimatch reads no images
def test_plastimatch_reads_the_contours(name: str, tmp_path: Path) -> None:
    shape = (12, 64, 80)
    series = make_series(**{**SOURCES[name], "shape": shape})
    holes = np.zeros(shape, np.bool_)
    holes[3:9, 5:50, 8:60] = True
    holes[4:7, 15:40, 20:45] = False
    holes[2:5, 54:62, 66:78] = True
    masks = [blob(shape, (0.5, 0.5, 0.5), 0.35), holes]
    (file,) = EXPORTERS["rtstruct"].write(export_source(series, masks), tmp_path)
    read = plastimatch_masks(tmp_path / file, series, tmp_path)
    assert len(read) == 2
    for mask in masks:
        assert max(dice(mask, found) for found in read.values()) > 0.97


def test_an_rt_structure_set_is_valid_and_belongs_to_the_study(options: dict[str, Any], tmp_path: Path) -> None:
    series = make_series(**options)
    source = export_source(series, two(SHAPE))
    (name,) = EXPORTERS["rtstruct"].write(source, tmp_path)
    structures = (tmp_path / name).read_bytes()
    assert dciodvfy_errors(structures) == []
    assert dcentvfy_errors([structures, source.segmentation, *series.part10()]) == []


def test_structures_say_what_they_are(tmp_path: Path) -> None:
    series = make_series()
    source = export_source(series, two(SHAPE), encoding="LABELMAP")
    (name,) = EXPORTERS["rtstruct"].write(source, tmp_path)
    dataset = pydicom.dcmread(tmp_path / name)
    assert (dataset.PatientID, dataset.StudyInstanceUID) == ("PHANTOM-1", series.study_uid)
    assert (dataset.ApprovalStatus, dataset.OperatorsName) == ("UNAPPROVED", "Müller^Ada")
    roi, other = dataset.StructureSetROISequence
    assert (roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm) == (1, "Niere 1 (腎)", "SEMIAUTOMATIC")
    assert (other.ROINumber, other.ReferencedFrameOfReferenceUID) == (2, series.frame_of_reference_uid)
    (kind,) = dataset.RTROIObservationsSequence[0].RTROIIdentificationCodeSequence
    assert kind.CodeMeaning == "Kidney"
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    assert list(dataset.ROIContourSequence[0].ROIDisplayColor) == [220, 40, 40]
    (study,) = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence
    (referenced,) = study.RTReferencedSeriesSequence
    assert [i.ReferencedSOPInstanceUID for i in referenced.ContourImageSequence] == list(series.sop_uids)


# --- prompts --------------------------------------------------------------------------------------


def test_prompts_can_be_sent_again(tmp_path: Path) -> None:
    series = make_series()
    uid = series.frame_of_reference_uid
    ids = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(3)]
    square = tuple(PatientPoint(x, y, 1.25) for x, y in ((0, 0), (4.5, 0), (4.5, 2), (0, 2)))
    region = Region(Box((1, 2, 3), (3, 5, 8)), noise((2, 3, 5), 1))
    prompts: list[Prompt] = [
        LabelmapPrompt.of(PromptOrigin(ids[0], True, uid), region),
        PointPrompt(PromptOrigin(ids[1], False, uid, series.sop_uids[0], 1), PatientPoint(0.1, 0.2, 0.3)),
        DrawnPrompt(PromptOrigin(ids[2], True, uid), "lasso", square, (0.0, 0.0, 1.0)),
    ]
    (name,) = EXPORTERS["prompts"].write(export_source(series, two(SHAPE), {1: prompts}), tmp_path)
    data = json.loads((tmp_path / name).read_text(encoding="utf-8"))
    assert data["series_instance_uid"] == series.series_uid
    first, second = data["segments"]
    assert second["prompts"] == []
    assert (first["label"], first["type"]["meaning"]) == ("Niere 1 (腎)", "Kidney")
    assert data["tracking"][1] == {"segment_number": 2, **_tracking(2)}
    labelmap, point, lasso = (SubmitPrompt(**item).prompt(SHAPE) for item in first["prompts"])
    assert (point, lasso) == (prompts[1], prompts[2])
    assert isinstance(labelmap, LabelmapPrompt)
    assert labelmap.packed.region().box == region.box
    assert np.array_equal(labelmap.packed.region().voxels, region.voxels)


def _tracking(number: int) -> dict[str, str]:
    segment = segment_of(np.ones((1, 1, 1), np.bool_), number)
    return {"tracking_id": segment.tracking_id, "tracking_uid": segment.tracking_uid}


# --- all ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(EXPORTERS))
def test_writing_twice_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    source = export_source(make_series(), overlapping(SHAPE))
    written = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        names = EXPORTERS[name].write(source, folder)
        assert sorted(names) == sorted(file.name for file in folder.iterdir())
        written.append([(folder / name).read_bytes() for name in names])
    assert written[0] == written[1]


def test_a_label_cannot_lead_to_another_folder(tmp_path: Path) -> None:
    mask = blob(SHAPE, (0.5, 0.5, 0.5), 0.3)
    plain = segment_of(mask).description
    said = type(plain)(label="../../etc/x y", category=plain.category, type=plain.type)
    source = export_source(make_series(), [mask], segments=(segment_of(mask, description=said),))
    assert EXPORTERS["stl"].write(source, tmp_path) == ("segment-1-etc-x-y.stl", "segments.json")
