"""What exports are made from, and independent readers of them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import SimpleITK
from matplotlib.path import Path as Outline
from tests.phantoms import PhantomSeries
from tests.readers.acceptances import Mask, acceptance_of, plan_of
from tests.readers.tools import on_grid

from delineate.adapters.dicom_seg import DicomSegCodec
from delineate.domain.ports import ExportSource
from delineate.domain.prompts import Prompt
from delineate.domain.volume import Volume

SOURCES: Mapping[str, Mapping[str, Any]] = {
    "axial": {},
    "sagittal": {"orientation": "sagittal", "shuffled": True},
    "coronal": {"orientation": "coronal"},
    "double-oblique": {"orientation": "oblique", "reversed_numbering": True},
    "anisotropic": {"spacing": (5.0, 0.4, 1.1), "modality": "MR"},
    "multi-frame": {"multiframe": True, "orientation": "oblique", "instances": 2, "shuffled": True},
}
"""Phantoms that every export is tried on, by what is special about them."""

PLANE_TOLERANCE_MM = 1e-3


def export_source(
    series: PhantomSeries, masks: Sequence[Mask], prompts: Mapping[int, Sequence[Prompt]] | None = None, **changes: Any
) -> ExportSource:
    """Return what an export of those masks on a phantom is made from."""
    acceptance = acceptance_of(series, masks, **changes)
    seg = DicomSegCodec().encode(acceptance, series.headers())
    given = prompts or {}
    segments = tuple(replace(s, prompts=tuple(given.get(s.number, ()))) for s in acceptance.segments)
    return ExportSource(replace(acceptance, segments=segments), seg, Volume(plan_of(series), series.voxels.copy()))


def itk_masks(file: Path, series: PhantomSeries, component: int | None = None) -> dict[int, Mask]:
    """Return the masks of a labelmap's values as SimpleITK places them; LPS, whatever the file has."""
    itk: Any = SimpleITK
    image = itk.ReadImage(file)
    if component is not None:
        image = itk.VectorIndexSelectionCast(image, component)
    return {
        int(value): on_grid(image == int(value), series)
        for value in np.unique(SimpleITK.GetArrayFromImage(image))
        if value
    }


def contour_masks(file: Path, series: PhantomSeries) -> dict[str, Mask]:
    """Return each structure by its contours' positions; written from the Standard (PS3.3 C.8.8.6).

    A contour lies on the slice of the image that it references. Inside is by the parity of crossings.
    """
    dataset = pydicom.dcmread(file)
    names = {int(roi.ROINumber): str(roi.ROIName) for roi in dataset.StructureSetROISequence}
    return {names[int(item.ReferencedROINumber)]: _filled(item, series) for item in dataset.ROIContourSequence}


def _filled(item: pydicom.Dataset, series: PhantomSeries) -> Mask:
    geometry = plan_of(series).geometry
    _, rows, columns = geometry.shape
    centres = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1).reshape(-1, 2)
    mask = np.zeros(geometry.shape, np.bool_)
    for contour in item.ContourSequence:
        assert contour.ContourGeometricType == "CLOSED_PLANAR"
        corners = np.array([float(v) for v in contour.ContourData]).reshape(-1, 3)
        assert contour.NumberOfContourPoints == len(corners)
        continuous = geometry.to_continuous(corners)
        k = round(float(continuous[0, 0]))
        assert np.abs(continuous[:, 0] - k).max() * geometry.spacing_mm[0] < PLANE_TOLERANCE_MM
        (image,) = contour.ContourImageSequence
        assert (image.ReferencedSOPInstanceUID, int(image.get("ReferencedFrameNumber", 1))) == series.slices[k]
        assert ("ReferencedFrameNumber" in image) == series.spec.multiframe
        closed = Outline(np.vstack([continuous[:, 1:], continuous[:1, 1:]]))
        mask[k] ^= closed.contains_points(centres).reshape(rows, columns)
    return mask


def plastimatch_masks(file: Path, series: PhantomSeries, folder: Path) -> dict[str, Mask]:
    """Return each structure as plastimatch rasters it on the series' own grid; it reads axial contours."""
    images, out = folder / "images", folder / "masks"
    images.mkdir()
    for n, instance in enumerate(series.part10()):
        (images / f"{n}.dcm").write_bytes(instance)
    where = [
        "--input",
        str(file),
        "--referenced-ct",
        str(images),
        "--output-prefix",
        str(out),
        "--prefix-format",
        "nrrd",
    ]
    done = subprocess.run(["plastimatch", "convert", *where], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {mask.stem: on_grid(SimpleITK.ReadImage(mask) != 0, series) for mask in out.glob("*.nrrd")}


def dice(one: Mask, other: Mask) -> float:
    """Return the Dice coefficient."""
    return 2 * float(np.count_nonzero(one & other)) / float(np.count_nonzero(one) + np.count_nonzero(other))


def centroid_voxels(mask: Mask) -> npt.NDArray[np.float64]:
    """Return the mean index (k, j, i) of a mask's voxels."""
    return np.asarray(np.argwhere(mask).mean(axis=0))
