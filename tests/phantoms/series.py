"""Small synthetic series whose voxels and place in the patient are known."""

from __future__ import annotations

import copy
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from tests.phantoms import enhanced
from tests.phantoms.grid import Orientation, Shape, Spacing, affine_of, row_and_column_direction, stored_values
from tests.phantoms.pixels import put_pixels
from tests.phantoms.plane import Plane, decimal

Modality = Literal["CT", "MR", "PT"]
STORAGE = {"CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4", "PT": "1.2.840.10008.5.1.4.1.1.128"}


@dataclass(frozen=True, kw_only=True)
class PhantomSpec:
    """What a phantom series should be like; everything has a plain default."""

    orientation: Orientation = "axial"
    shape: Shape = (12, 20, 24)
    """Voxels along (k, j, i)."""
    spacing: Spacing = (3.0, 1.25, 0.8)
    """Millimetres along (k, j, i)."""
    origin: tuple[float, float, float] = (-31.5, 12.25, -104.75)
    """Centre of voxel (0, 0, 0), LPS mm."""
    modality: Modality = "CT"
    multiframe: bool = False
    instances: int = 1
    """Of a multi-frame series: over how many instances its frames are dealt out."""
    transfer_syntax: UID | Sequence[UID] = ExplicitVRLittleEndian
    """Several: dealt out to the instances in turn."""
    bits: tuple[int, int] = (16, 12)
    """BitsAllocated, BitsStored."""
    signed: bool = False
    photometric: str = "MONOCHROME2"
    rescale: tuple[float, float] | Literal["modality", "per slice", "none"] = "modality"
    """Slope and intercept; "modality" means what is usual for it."""
    reversed_numbering: bool = False
    """InstanceNumber, and the order of files or frames, against k."""
    shuffled: bool = False
    position_decimals: int | None = None
    """Round positions in the header to so many decimals."""
    orientation_decimals: int | None = None
    spacing_between_slices: float | None = None
    """Written as it is, true or not."""
    slice_thickness: float | None = 3.0
    patient_name: str = "Phantom^Ada"
    character_set: str | list[str] = "ISO_IR 192"
    patient_id: str = "PHANTOM-1"
    study_uid: str = field(default_factory=generate_uid)
    series_uid: str = field(default_factory=generate_uid)
    frame_of_reference_uid: str = field(default_factory=generate_uid)
    seed: int = 0
    half_axes: Spacing | None = None
    """Of the bright ellipsoid, in voxels (k, j, i); None: in proportion to the shape."""


@dataclass(frozen=True, eq=False)
class PhantomSeries:
    """A series and the truth about it."""

    spec: PhantomSpec
    datasets: tuple[Dataset, ...]
    """Ready to be written as Part 10, in the order in which they would arrive."""
    voxels: npt.NDArray[np.float32]
    """Modality-rescaled, axes (k, j, i), k grows along row direction x column direction."""
    affine: npt.NDArray[np.float64]
    """(4, 4): (k, j, i, 1) to LPS mm."""
    slices: tuple[tuple[str, int], ...]
    """SOP Instance UID and frame number (from 1) of each k."""

    @property
    def study_uid(self) -> str:
        return self.spec.study_uid

    @property
    def series_uid(self) -> str:
        return self.spec.series_uid

    @property
    def frame_of_reference_uid(self) -> str:
        return self.spec.frame_of_reference_uid

    @property
    def sop_uids(self) -> tuple[str, ...]:
        """In order of k, each once."""
        return tuple(dict.fromkeys(uid for uid, _ in self.slices))

    def part10(self) -> list[bytes]:
        return [part10(dataset) for dataset in self.datasets]

    def headers(self) -> list[dict[str, Any]]:
        return [header(dataset) for dataset in self.datasets]


def make_series(**options: Any) -> PhantomSeries:
    """Make a series with one volume; the options are the fields of PhantomSpec."""
    return build(PhantomSpec(**options))


def build(spec: PhantomSpec) -> PhantomSeries:
    """Make the series that ``spec`` describes."""
    affine = affine_of(spec.orientation, spec.spacing, spec.origin)
    planes = make_planes(spec, affine)
    in_file_order = arranged(spec, planes)
    datasets = enhanced.make(spec, in_file_order, base_dataset) if spec.multiframe else make_single(spec, in_file_order)
    return PhantomSeries(spec, tuple(datasets), voxels_of(planes), affine, sources(planes))


def make_planes(spec: PhantomSpec, affine: npt.NDArray[np.float64]) -> list[Plane]:
    """Return the slices in order of k."""
    stored = stored_values(spec.shape, spec.bits[1], signed=spec.signed, seed=spec.seed, half_axes=spec.half_axes)
    return [
        Plane(k, stored[k], tuple((affine @ (k, 0, 0, 1))[:3].tolist()), rescale_of(spec, k))
        for k in range(spec.shape[0])
    ]


def rescale_of(spec: PhantomSpec, k: int) -> tuple[float, float] | None:
    if isinstance(spec.rescale, tuple):
        return spec.rescale
    if spec.rescale == "per slice" or (spec.rescale == "modality" and spec.modality == "PT"):
        return (round(0.731 + 0.0137 * k, 6), 0.0)
    if spec.rescale == "modality" and spec.modality == "CT":
        return (1.0, 0.0 if spec.signed else -1024.0)
    return None


def arranged(spec: PhantomSpec, planes: list[Plane]) -> list[Plane]:
    """Return the planes in the order of files or frames."""
    order = planes[::-1] if spec.reversed_numbering else list(planes)
    if spec.shuffled:
        np.random.default_rng(spec.seed + 1).shuffle(order)
    return order


def voxels_of(planes: Sequence[Plane]) -> npt.NDArray[np.float32]:
    return np.stack([plane.values for plane in planes]).astype(np.float32)


def sources(planes: Sequence[Plane]) -> tuple[tuple[str, int], ...]:
    return tuple((plane.sop_uid, plane.frame_number) for plane in planes)


def make_single(spec: PhantomSpec, planes: Sequence[Plane]) -> list[Dataset]:
    """Make one instance for each plane."""
    number_of = {p.k: (spec.shape[0] - p.k if spec.reversed_numbering else p.k + 1) for p in planes}
    return [single_dataset(spec, plane, number_of[plane.k], nth) for nth, plane in enumerate(planes)]


def single_dataset(spec: PhantomSpec, plane: Plane, number: int, nth: int) -> Dataset:
    dataset = base_dataset(spec, STORAGE[spec.modality])
    plane.sop_uid = dataset.SOPInstanceUID
    dataset.InstanceNumber = number
    dataset.ImagePositionPatient = [decimal(v, spec.position_decimals) for v in plane.position]
    dataset.ImageOrientationPatient = orientation_values(spec)
    dataset.PixelSpacing = [decimal(spec.spacing[1]), decimal(spec.spacing[2])]
    if spec.slice_thickness is not None:
        dataset.SliceThickness = decimal(spec.slice_thickness)
    if spec.spacing_between_slices is not None:
        dataset.SpacingBetweenSlices = decimal(spec.spacing_between_slices)
    if plane.rescale is not None:
        dataset.RescaleSlope, dataset.RescaleIntercept = (decimal(v) for v in plane.rescale)
        dataset.RescaleType = "HU" if spec.modality == "CT" else "US"
    put_pixels(dataset, plane.stored[np.newaxis], syntax_of(spec, nth))
    return dataset


def syntax_of(spec: PhantomSpec, nth: int) -> UID:
    if isinstance(spec.transfer_syntax, str):
        return UID(spec.transfer_syntax)
    return spec.transfer_syntax[nth % len(spec.transfer_syntax)]


def orientation_values(spec: PhantomSpec) -> list[str]:
    row, column = row_and_column_direction(spec.orientation)
    return [decimal(v, spec.orientation_decimals) for v in (*row.tolist(), *column.tolist())]


def base_dataset(spec: PhantomSpec, sop_class: str) -> Dataset:
    """Return an instance with all that is not geometry and pixels."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SpecificCharacterSet = spec.character_set
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.update(_patient_and_study(spec))
    dataset.Modality = spec.modality
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesInstanceUID = spec.series_uid
    dataset.SeriesNumber = 3
    dataset.SeriesDescription = "phantom"
    dataset.FrameOfReferenceUID = spec.frame_of_reference_uid
    dataset.PositionReferenceIndicator = ""
    dataset.Manufacturer = "Delineate phantoms"
    dataset.AcquisitionNumber = 1
    dataset.AcquisitionDate = dataset.ContentDate = dataset.SeriesDate = "20260102"
    dataset.AcquisitionTime = dataset.ContentTime = dataset.SeriesTime = "101500"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = spec.photometric
    _, dataset.Rows, dataset.Columns = spec.shape
    dataset.BitsAllocated, dataset.BitsStored = spec.bits
    dataset.HighBit = spec.bits[1] - 1
    dataset.PixelRepresentation = int(spec.signed)
    return dataset


def _patient_and_study(spec: PhantomSpec) -> Dataset:
    dataset = Dataset()
    dataset.PatientName = spec.patient_name
    dataset.PatientID = spec.patient_id
    dataset.PatientBirthDate = "19701231"
    dataset.PatientSex = "O"
    dataset.StudyInstanceUID = spec.study_uid
    dataset.StudyDate = "20260102"
    dataset.StudyTime = "101112"
    dataset.StudyID = "1"
    dataset.AccessionNumber = "A1"
    dataset.ReferringPhysicianName = ""
    return dataset


def part10(dataset: Dataset) -> bytes:
    """Return the dataset as a Part 10 file."""
    with io.BytesIO() as buffer:
        dcmwrite(buffer, dataset, enforce_file_format=True)
        return buffer.getvalue()


def header(dataset: Dataset) -> dict[str, Any]:
    """Return the dataset in the DICOM JSON model as an archive's metadata gives it, without pixels."""
    light = Dataset()
    light.update({element.tag: element for element in dataset if element.tag != 0x7FE00010})
    as_json: dict[str, Any] = light.to_json_dict()
    return as_json


def copies(series: PhantomSeries) -> list[Dataset]:
    """Return deep copies of the datasets, to be spoilt."""
    return [copy.deepcopy(dataset) for dataset in series.datasets]
