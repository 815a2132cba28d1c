"""NIfTI: the image, and the segments as labelmaps."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt

from delineate.adapters.exports.descriptions import write_descriptions
from delineate.adapters.exports.layers import layers_of
from delineate.domain.geometry import VolumeGeometry
from delineate.domain.ports import ExportSource

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
SCANNER = 1
"""NIfTI's code of coordinates in the scanner: here those of the DICOM frame of reference."""


class NiftiExporter:
    """``image.nii.gz``, ``labelmap.nii.gz`` and ``segments.json``, which says what the labelmap's values mean.

    Segments that overlap are dealt out to ``labelmap-1.nii.gz``, ``labelmap-2.nii.gz`` and so on. Arrays have the axes
    (i, j, k); the affine, in sform and qform alike, gives RAS mm of voxel centres.
    """

    def write(self, source: ExportSource, folder: Path) -> tuple[str, ...]:
        """Write the files; see ``Exporter``."""
        segments = source.acceptance.segments
        layers, places = layers_of(segments)
        names = ["labelmap.nii.gz"] if len(layers) == 1 else [f"labelmap-{n}.nii.gz" for n in range(1, len(layers) + 1)]
        _write(_compact(source.volume.voxels), source.volume.geometry, folder / "image.nii.gz")
        for layer, name in zip(layers, names, strict=True):
            _write(layer, source.volume.geometry, folder / name)
        files = [{"file": names[place], "value": number} for number, place in enumerate(places, 1)]
        write_descriptions(segments, files, folder / "segments.json")
        return ("image.nii.gz", *names, "segments.json")


def ras_affine(geometry: VolumeGeometry) -> npt.NDArray[np.float64]:
    """Return the (4, 4) matrix that maps (i, j, k, 1) to RAS mm of voxel centres."""
    return np.asarray(LPS_TO_RAS @ geometry.matrix[:, [2, 1, 0, 3]])


def _write(voxels: npt.NDArray[np.generic], geometry: VolumeGeometry, file: Path) -> None:
    affine = ras_affine(geometry)
    image = nibabel.Nifti1Image(voxels.transpose(2, 1, 0), affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, SCANNER)
    image.set_qform(affine, SCANNER)
    nibabel.save(image, file)


def _compact(voxels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | npt.NDArray[np.int16]:
    """Return the values as int16 if that loses nothing, as with most CT."""
    limits = np.iinfo(np.int16)
    whole = all(
        (plane == np.rint(plane)).all() and plane.min() >= limits.min and plane.max() <= limits.max for plane in voxels
    )
    return voxels.astype(np.int16) if whole else voxels
