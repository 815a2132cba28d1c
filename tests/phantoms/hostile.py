"""Series whose geometry is no volume, each with the error that must name why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from tests.phantoms.plane import decimal
from tests.phantoms.series import PhantomSeries, copies, header, make_series, part10

from delineate.domain import errors


@dataclass(frozen=True, eq=False)
class HostileSeries:
    """A spoilt series and the error that is due."""

    datasets: tuple[Dataset, ...]
    leaf: type[errors.SeriesError]
    members: dict[str, Any] = field(default_factory=dict)
    """Fields of the error that must have these values; lists of UIDs are compared without order."""
    mentions: tuple[str, ...] = ()
    """What the error's sentence must contain."""
    needs_pixels: bool = False
    """Whether only decoding shows it."""

    @property
    def study_uid(self) -> str:
        return str(self.datasets[0].StudyInstanceUID)

    @property
    def series_uid(self) -> str:
        return str(self.datasets[0].SeriesInstanceUID)

    def part10(self) -> list[bytes]:
        return [part10(dataset) for dataset in self.datasets]

    def headers(self) -> list[dict[str, Any]]:
        return [header(dataset) for dataset in self.datasets]


Maker = Callable[[], HostileSeries]
HOSTILE: dict[str, Maker] = {}
"""Every hostile series by name."""


def hostile(maker: Maker) -> Maker:
    """Register a maker by its name."""
    HOSTILE[maker.__name__.replace("_", "-")] = maker
    return maker


def plain(**options: Any) -> tuple[PhantomSeries, list[Dataset]]:
    series = make_series(**({"modality": "MR", "shape": (8, 10, 12)} | options))
    return series, copies(series)


def _at(series: PhantomSeries, *slices: int) -> tuple[tuple[float, float, float], ...]:
    points = [(series.affine @ (k, 0, 0, 1))[:3].tolist() for k in slices]
    return tuple((x, y, z) for x, y, z in points)


def with_new_uid(dataset: Dataset) -> Dataset:
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return dataset


def _move(dataset: Dataset, series: PhantomSeries, by_mm: tuple[float, float, float]) -> None:
    """Shift a slice by so many mm along (k, j, i)."""
    axes = series.affine[:3, :3] / np.linalg.norm(series.affine[:3, :3], axis=0)
    position = np.array(dataset.ImagePositionPatient, dtype=float) + axes @ np.array(by_mm)
    dataset.ImagePositionPatient = [decimal(value) for value in position.tolist()]


@hostile
def missing_slice() -> HostileSeries:
    series, datasets = plain(orientation="oblique")
    del datasets[4]
    uids = series.sop_uids
    return HostileSeries(
        tuple(datasets),
        errors.MissingSlice,
        {"neighbours": (uids[3], uids[5]), "positions": _at(series, 4)},
        (uids[3], uids[5], "1 slice"),
    )


@hostile
def missing_slices_in_two_places() -> HostileSeries:
    series, datasets = plain(shape=(12, 10, 12), orientation="sagittal", shuffled=True)
    uids = series.sop_uids
    gone = {uids[2], uids[7], uids[8]}
    return HostileSeries(
        tuple(d for d in datasets if d.SOPInstanceUID not in gone),
        errors.MissingSlice,
        {"neighbours": (uids[1], uids[3], uids[6], uids[9]), "positions": _at(series, 2, 7, 8)},
        ("3 slice",),
    )


@hostile
def duplicate_position() -> HostileSeries:
    series, datasets = plain()
    twin = with_new_uid(copies(series)[5])
    pair = (series.sop_uids[5], str(twin.SOPInstanceUID))
    return HostileSeries(
        (*datasets, twin),
        errors.DuplicatePositions,
        {"instances": pair, "positions": _at(series, 5)},
        pair,
    )


@hostile
def two_acquisitions_told_apart_by_acquisition_number_alone() -> HostileSeries:
    series, datasets = plain(shape=(4, 10, 12))
    again = [with_new_uid(dataset) for dataset in copies(series)]
    for dataset in again:
        dataset.AcquisitionNumber = 2
    everyone = tuple(str(d.SOPInstanceUID) for d in (*datasets, *again))
    return HostileSeries(
        (*datasets, *again), errors.DuplicatePositions, {"instances": everyone, "positions": _at(series, 0, 1, 2, 3)}
    )


@hostile
def scout() -> HostileSeries:
    _, datasets = plain()
    odd = datasets[0]
    other = copies(make_series(modality="MR", shape=(1, 10, 12), orientation="sagittal"))[0]
    odd.ImageOrientationPatient = other.ImageOrientationPatient
    return HostileSeries(
        tuple(datasets), errors.MixedOrientations, {"instances": (odd.SOPInstanceUID,)}, (odd.SOPInstanceUID, "scout")
    )


@hostile
def localizer() -> HostileSeries:
    _, datasets = plain(modality="CT")
    odd = with_new_uid(copies(make_series(modality="CT", shape=(1, 10, 12), orientation="sagittal"))[0])
    odd.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        setattr(odd, keyword, getattr(datasets[0], keyword))
    return HostileSeries((*datasets, odd), errors.VolumeChoiceRequired, {}, ("localizer", "1 image", "8 image"))


@hostile
def two_planes() -> HostileSeries:
    axial, datasets = plain(shape=(6, 10, 12))
    coronal = make_series(
        modality="MR",
        orientation="coronal",
        shape=(4, 10, 12),
        study_uid=axial.study_uid,
        series_uid=axial.series_uid,
        frame_of_reference_uid=axial.frame_of_reference_uid,
    )
    return HostileSeries(
        (*datasets, *coronal.datasets), errors.MixedOrientations, {"instances": coronal.sop_uids}, coronal.sop_uids
    )


@hostile
def non_uniform_spacing() -> HostileSeries:
    series, datasets = plain()
    _move(datasets[4], series, (0.4, 0, 0))
    return HostileSeries(
        tuple(datasets), errors.NonUniformSpacing, {"instances": series.sop_uids[3:6]}, (series.sop_uids[4], "3.4")
    )


@hostile
def spacing_that_grows_slowly() -> HostileSeries:
    series, datasets = plain(shape=(40, 10, 12), spacing=(2.0, 1.0, 1.0))
    for k, dataset in enumerate(datasets):
        _move(dataset, series, (0.0005 * k * k, 0, 0))
    return HostileSeries(tuple(datasets), errors.NonUniformSpacing)


@hostile
def one_slice_shifted_in_its_plane() -> HostileSeries:
    series, datasets = plain()
    _move(datasets[4], series, (0, 0, 4.0))
    return HostileSeries(tuple(datasets), errors.NonUniformSpacing, {"instances": series.sop_uids[3:6]})


@hostile
def gantry_tilt() -> HostileSeries:
    series, datasets = plain(modality="CT")
    for k, dataset in enumerate(datasets):
        _move(dataset, series, (0, 3.0 * k * 0.2679491924, 0))  # tan 15 degrees
    return HostileSeries(tuple(datasets), errors.GantryTilt, {"instances": series.sop_uids}, ("15.00 degrees",))


@hostile
def two_frames_of_reference() -> HostileSeries:
    series, datasets = plain()
    for dataset in datasets[6:]:
        dataset.FrameOfReferenceUID = "1.2.3.4.5"
    return HostileSeries(
        tuple(datasets),
        errors.SeveralFramesOfReference,
        {"instances": series.sop_uids[6:], "frames_of_reference": (series.frame_of_reference_uid, "1.2.3.4.5")},
        ("1.2.3.4.5", series.sop_uids[6]),
    )


@hostile
def other_matrix() -> HostileSeries:
    series, datasets = plain()
    small = make_series(modality="MR", shape=(1, 6, 12)).datasets[0]
    datasets[3].Rows, datasets[3].PixelData = small.Rows, small.PixelData
    return HostileSeries(
        tuple(datasets), errors.MixedMatrix, {"instances": (series.sop_uids[3],)}, (series.sop_uids[3],)
    )


@hostile
def other_pixel_spacing() -> HostileSeries:
    series, datasets = plain()
    datasets[3].PixelSpacing = ["1.3", "0.8"]
    return HostileSeries(
        tuple(datasets), errors.MixedPixelSpacing, {"instances": (series.sop_uids[3],)}, (series.sop_uids[3],)
    )


def _without(keyword: str) -> Maker:
    def maker() -> HostileSeries:
        series, datasets = plain()
        delattr(datasets[2], keyword)
        uid = series.sop_uids[2]
        return HostileSeries(
            tuple(datasets), errors.MissingGeometry, {"instances": (uid,), "attributes": (keyword,)}, (uid, keyword)
        )

    return maker


for _keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "FrameOfReferenceUID"):
    HOSTILE[f"no-{_keyword}"] = _without(_keyword)


@hostile
def empty_position() -> HostileSeries:
    series, datasets = plain()
    datasets[2].ImagePositionPatient = None
    return HostileSeries(
        tuple(datasets),
        errors.MissingGeometry,
        {"instances": (series.sop_uids[2],), "attributes": ("ImagePositionPatient",)},
    )


@hostile
def zero_pixel_spacing() -> HostileSeries:
    series, datasets = plain()
    for dataset in datasets:
        dataset.PixelSpacing = ["0", "0.8"]
    return HostileSeries(
        tuple(datasets), errors.MissingGeometry, {"instances": series.sop_uids, "attributes": ("PixelSpacing",)}
    )


@hostile
def single_slice_without_thickness() -> HostileSeries:
    series, datasets = plain(shape=(1, 10, 12), slice_thickness=None)
    return HostileSeries(
        tuple(datasets), errors.MissingGeometry, {"instances": series.sop_uids, "attributes": ("SliceThickness",)}
    )


@hostile
def orientation_not_perpendicular() -> HostileSeries:
    series, datasets = plain()
    for dataset in datasets:
        dataset.ImageOrientationPatient = ["1", "0", "0", "0.0871557427", "0.9961946981", "0"]
    return HostileSeries(tuple(datasets), errors.InvalidOrientation, {"instances": series.sop_uids})


@hostile
def orientation_not_of_unit_length() -> HostileSeries:
    series, datasets = plain()
    datasets[1].ImageOrientationPatient = ["2", "0", "0", "0", "1", "0"]
    return HostileSeries(tuple(datasets), errors.InvalidOrientation, {"instances": (series.sop_uids[1],)})
