"""The port ``VolumeReader``: first the headers, then the pixels."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset

from delineate.adapters.dicom_series.checks import check_images_agree
from delineate.adapters.dicom_series.grid import geometry_of
from delineate.adapters.dicom_series.images import colour_fault, images_of, unique_instances
from delineate.adapters.dicom_series.json_model import text
from delineate.adapters.dicom_series.pixels import decoded_frames, number_of_frames, unusable
from delineate.adapters.dicom_series.placement import Placement
from delineate.adapters.dicom_series.volumes import choose
from delineate.domain.errors import (
    ConstantVolume,
    DelineateError,
    PixelDataUnusable,
    SeriesIncomplete,
    UnsupportedPixels,
)
from delineate.domain.ports import DicomJson
from delineate.domain.volume import SliceSource, Volume, VolumePlan

MAX_VOXELS = 2**31
"""Voxels of the largest volume that is read: 8 GiB as float32."""

POSITION_AGREEMENT = 0.5
"""Voxels by which an instance's own position may differ from the one that the archive's metadata gave."""

Places = dict[int, int]
"""Slice k of each frame number of one instance."""


class DicomSeriesReader:
    """Checks, sorts and decodes DICOM series with pydicom.

    Parameters
    ----------
    max_voxels
        Voxels of the largest volume that is accepted.
    """

    def __init__(self, max_voxels: int = MAX_VOXELS) -> None:
        self._max_voxels = max_voxels

    def plan(self, headers: Sequence[DicomJson], volume: str | None) -> VolumePlan:
        """Check and sort a series by its headers alone.

        Parameters
        ----------
        headers
            The attributes of every instance of the series.
        volume
            Which volume, where the series holds several.

        Returns
        -------
        VolumePlan
            The grid, and the image of each slice in order of k.

        Raises
        ------
        SeriesError
            One of its leaves, which names the fault and the instances.
        """
        chosen = choose(images_of(headers), volume)
        check_images_agree(chosen.images)
        placement = Placement.of(chosen.images)
        geometry = geometry_of(placement)
        if np.prod(geometry.shape, dtype=float) > self._max_voxels:
            reason = f"the volume of {geometry.shape} voxels is larger than {self._max_voxels}"
            raise UnsupportedPixels(unique_instances(chosen.images), reason)
        return VolumePlan(
            study_instance_uid=text(headers[0], "StudyInstanceUID") or "",
            series_instance_uid=text(headers[0], "SeriesInstanceUID") or "",
            volume=volume,
            modality=text(headers[0], "Modality") or "",
            geometry=geometry,
            slices=tuple(SliceSource(image.sop_instance_uid, image.frame_number) for image in placement.images),
        )

    def read(self, plan: VolumePlan, instances: Iterable[bytes], out: npt.NDArray[np.float32] | None = None) -> Volume:
        """Decode the plan's instances, in any order, each straight into its slices.

        Beside the volume (float32, axes k, j, i) one instance is held at a time.

        Parameters
        ----------
        plan
            What ``plan`` made of the series' headers.
        instances
            Part 10 files; those that are not in the plan are left out.
        out
            float32 of the plan's shape (k, j, i), in which the voxels are put and stay; None: a new array.

        Raises
        ------
        PixelDataUnusable, UnsupportedPixels
            If an instance's pixels cannot be used, or are not those that its header announced.
        ConstantVolume
            If all voxels have one value, or not all are finite.
        SeriesIncomplete
            If an instance of the plan does not come.
        """
        waiting: dict[str, Places] = {}
        for k, source in enumerate(plan.slices):
            waiting.setdefault(source.sop_instance_uid, {})[source.frame_number] = k
        expected = len(waiting)
        voxels = np.empty(plan.geometry.shape, dtype=np.float32) if out is None else out
        contrast = _Contrast()
        for part10 in instances:
            dataset = _parsed(part10)
            places = waiting.pop(str(dataset.get("SOPInstanceUID", "")), None)
            if places is not None:
                _decode_into(voxels, dataset, plan, places)
                contrast.add(voxels, places.values())
        if waiting:
            raise SeriesIncomplete(expected, expected - len(waiting), tuple(waiting))
        contrast.check()
        return Volume(plan, voxels)


class _Contrast:
    """Watches the range of the voxels while they arrive."""

    def __init__(self) -> None:
        self._low, self._high = math.inf, -math.inf
        self._finite = True

    def add(self, voxels: npt.NDArray[np.float32], slices: Iterable[int]) -> None:
        for k in slices:
            low, high = float(voxels[k].min()), float(voxels[k].max())
            self._finite = self._finite and math.isfinite(low) and math.isfinite(high)
            self._low, self._high = min(self._low, low), max(self._high, high)

    def check(self) -> None:
        if not self._finite:
            raise ConstantVolume("not all voxels are finite")
        if self._low == self._high:
            raise ConstantVolume(f"all voxels are {self._low:g}")


def _parsed(part10: bytes) -> Dataset:
    try:
        return dcmread(io.BytesIO(part10))
    except Exception as error:  # a malformed file raises many things
        raise PixelDataUnusable((), "cannot be read: an instance is no DICOM file") from error


def _decode_into(voxels: npt.NDArray[np.float32], dataset: Dataset, plan: VolumePlan, places: Places) -> None:
    """Decode one instance's frames into their slices."""
    try:
        _check_as_announced(dataset, plan, places)
        frames = decoded_frames(dataset, list(places))
        with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold shows as not finite
            for k, frame in zip(places.values(), frames, strict=True):
                voxels[k] = frame
    except DelineateError:
        raise
    except Exception as error:  # whatever a malformed instance makes a library raise
        raise unusable(dataset, "cannot be used: the instance is malformed") from error


def _check_as_announced(dataset: Dataset, plan: VolumePlan, places: Places) -> None:
    """Refuse an instance that is not the one which the archive's metadata described."""
    shape = (dataset.get("Rows"), dataset.get("Columns"))
    if shape != plan.geometry.shape[1:]:
        raise unusable(dataset, f"is of {shape} rows and columns, not {plan.geometry.shape[1:]} as the archive said")
    if number_of_frames(dataset) < max(places):
        raise unusable(dataset, f"has {number_of_frames(dataset)} frames, not {max(places)} as the archive said")
    fault = colour_fault(dataset.get("SamplesPerPixel"), dataset.get("PhotometricInterpretation"))
    if fault:
        raise UnsupportedPixels((str(dataset.SOPInstanceUID),), fault)
    for frame_number, k in places.items():
        position = _position(dataset, frame_number)
        if position is not None:
            off = np.abs(plan.geometry.to_continuous(position)[0] - (k, 0, 0))
            if not (off <= POSITION_AGREEMENT).all():
                raise unusable(dataset, "belongs to another position than the archive's metadata said")


def _position(dataset: Dataset, frame_number: int) -> Sequence[float] | None:
    """Return Image Position (Patient) of a frame, None where the instance does not give it."""
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    if not per_frame:
        found = dataset.get("ImagePositionPatient")
    else:
        planes = per_frame[frame_number - 1].get("PlanePositionSequence")
        found = planes[0].get("ImagePositionPatient") if planes else None
    return [float(value) for value in found] if found else None
