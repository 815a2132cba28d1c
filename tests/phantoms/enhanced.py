"""Enhanced multi-frame instances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import generate_uid
from tests.phantoms.grid import row_and_column_direction
from tests.phantoms.pixels import put_pixels
from tests.phantoms.plane import Plane, decimal

if TYPE_CHECKING:
    from tests.phantoms.series import PhantomSpec

STORAGE = {
    "CT": "1.2.840.10008.5.1.4.1.1.2.1",
    "MR": "1.2.840.10008.5.1.4.1.1.4.1",
    "PT": "1.2.840.10008.5.1.4.1.1.130",
}
FRAME_TYPE = {"CT": "CTImageFrameTypeSequence", "MR": "MRImageFrameTypeSequence", "PT": "PETFrameTypeSequence"}
STACK_ID, IN_STACK_POSITION = Tag("StackID"), Tag("InStackPositionNumber")
FRAME_CONTENT = Tag("FrameContentSequence")


def make(
    spec: PhantomSpec, planes: Sequence[Plane], base_dataset: Callable[[PhantomSpec, str], Dataset]
) -> list[Dataset]:
    """Deal the planes, in order, out to ``spec.instances`` multi-frame instances."""
    organization = generate_uid()
    dealt = np.array_split(np.arange(len(planes)), spec.instances)
    datasets = []
    for nth, chosen in enumerate(dealt):
        dataset = base_dataset(spec, STORAGE[spec.modality])
        dataset.InstanceNumber = nth + 1
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
        frames = [planes[n] for n in chosen]
        _fill(dataset, spec, frames, organization)
        syntax = spec.transfer_syntax
        stored = np.stack([plane.stored for plane in frames])
        put_pixels(dataset, stored, syntax if isinstance(syntax, str) else syntax[nth % len(syntax)])
        datasets.append(dataset)
    return datasets


def _fill(dataset: Dataset, spec: PhantomSpec, frames: Sequence[Plane], organization: str) -> None:
    dataset.NumberOfFrames = len(frames)
    dataset.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organization)]
    dataset.DimensionIndexSequence = [
        _item(
            DimensionOrganizationUID=organization, DimensionIndexPointer=pointer, FunctionalGroupPointer=FRAME_CONTENT
        )
        for pointer in (STACK_ID, IN_STACK_POSITION)
    ]
    dataset.SharedFunctionalGroupsSequence = [_shared(spec)]
    items = []
    for n, plane in enumerate(frames):
        plane.sop_uid, plane.frame_number = dataset.SOPInstanceUID, n + 1
        item = _per_frame(spec, plane)
        if plane.vary is not None:
            plane.vary(item, plane.volume)
        items.append(item)
    dataset.PerFrameFunctionalGroupsSequence = items


def _shared(spec: PhantomSpec) -> Dataset:
    row, column = row_and_column_direction(spec.orientation)
    measures = _item(PixelSpacing=[decimal(spec.spacing[1]), decimal(spec.spacing[2])])
    if spec.slice_thickness is not None:
        measures.SliceThickness = decimal(spec.slice_thickness)
    if spec.spacing_between_slices is not None:
        measures.SpacingBetweenSlices = decimal(spec.spacing_between_slices)
    values = [decimal(v, spec.orientation_decimals) for v in (*row.tolist(), *column.tolist())]
    shared = _item(PixelMeasuresSequence=[measures], PlaneOrientationSequence=[_item(ImageOrientationPatient=values)])
    frame_type = _item(
        FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
    )
    setattr(shared, FRAME_TYPE[spec.modality], [frame_type])
    return shared


def _per_frame(spec: PhantomSpec, plane: Plane) -> Dataset:
    position = [decimal(v, spec.position_decimals) for v in plane.position]
    item = _item(
        FrameContentSequence=[
            _item(StackID="1", InStackPositionNumber=plane.k + 1, DimensionIndexValues=[1, plane.k + 1])
        ],
        PlanePositionSequence=[_item(ImagePositionPatient=position)],
    )
    if plane.rescale is not None:
        slope, intercept = (decimal(v) for v in plane.rescale)
        item.PixelValueTransformationSequence = [
            _item(RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US")
        ]
    return item


def _item(**attributes: object) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item
