"""Segmentations as others make them: highdicom used directly, and what can be odd about the result."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pydicom
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from tests.phantoms import PhantomSeries
from tests.readers.acceptances import Mask

from delineate.domain.segmentation import InstanceReference

LIVER = codes.SCT.Liver
LESION = codes.SCT.Lesion
PRIVATE_BLOCK = "ACME"


def foreign_seg(
    series: PhantomSeries,
    masks: Sequence[Mask],
    kind: str = "BINARY",
    *,
    transfer_syntax: UID = ExplicitVRLittleEndian,
    change: Callable[[Dataset], None] = lambda _: None,
) -> pydicom.FileDataset:
    """Return a segmentation of single-frame images, with odd but legal metadata; ``change`` spoils it."""
    images = {str(d.SOPInstanceUID): d for d in series.datasets}
    ordered = [images[uid] for uid, _ in series.slices]
    pixels: np.ndarray[Any, Any] = np.stack(masks, axis=-1).astype(np.uint8)
    if kind == "LABELMAP":
        pixels = (pixels * np.arange(1, len(masks) + 1, dtype=np.uint8)).max(axis=-1)
    elif kind == "FRACTIONAL":
        pixels = pixels.astype(np.float32)
    seg = Segmentation(
        source_images=ordered,
        pixel_array=pixels,
        segmentation_type=SegmentationTypeValues[kind],
        segment_descriptions=[_description(number) for number in range(1, len(masks) + 1)],
        series_instance_uid=generate_uid(),
        series_number=7,
        sop_instance_uid=generate_uid(),
        instance_number=3,
        manufacturer="Acme",
        manufacturer_model_name="Segmentor",
        software_versions="9",
        device_serial_number="1",
        transfer_syntax_uid=transfer_syntax,
    )
    odd_metadata(seg)
    if kind == "BINARY":
        reorder_frames(seg)
    change(seg)
    return reread(seg)


def reread(dataset: Dataset) -> pydicom.FileDataset:
    return pydicom.dcmread(io.BytesIO(as_bytes(dataset)))


def as_bytes(dataset: Dataset) -> bytes:
    with io.BytesIO() as file:
        dataset.save_as(file, enforce_file_format=True)
        return file.getvalue()


def reference_of(dataset: Dataset) -> InstanceReference:
    return InstanceReference(dataset.SeriesInstanceUID, dataset.SOPInstanceUID, dataset.SOPClassUID)


def _description(number: int) -> SegmentDescription:
    algorithm = AlgorithmIdentificationSequence("Total", codes.DCM.ArtificialIntelligence, "2.1", source="Acme")
    return SegmentDescription(
        segment_number=number,
        segment_label=f"Acme finding {number}",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure if number > 1 else codes.SCT.Organ,
        segmented_property_type=LESION if number > 1 else LIVER,
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=generate_uid(entropy_srcs=["acme", str(number)]) if number > 1 else None,
        tracking_id=f"acme {number}" if number > 1 else None,
        anatomic_regions=[codes.SCT.Liver] if number > 1 else None,
    )


def odd_metadata(seg: Dataset) -> None:
    """Give segment 2 what only its maker knows of: a private attribute, a remark, a modifier that is no laterality."""
    item = next(item for item in seg.SegmentSequence if item.SegmentNumber == 1)
    item.RecommendedDisplayCIELabValue = [40000, 50000, 20000]
    item.SegmentDescription = "Seen by Dr. Müller"
    block = item.private_block(0x0063, PRIVATE_BLOCK, create=True)
    block.add_new(1, "LO", "confidence 0.9")
    kind = item.SegmentedPropertyTypeCodeSequence[0]
    kind.SegmentedPropertyTypeModifierCodeSequence = [
        CodedConcept("255503000", "SCT", "Entire"),
        CodedConcept("24028007", "SCT", "Right"),
    ]


def reorder_frames(seg: Dataset) -> None:
    """Put the frames of a BINARY segmentation into an order of no meaning."""
    count = int(seg.NumberOfFrames)
    order = np.random.default_rng(5).permutation(count)
    bits = np.unpackbits(np.frombuffer(seg.PixelData, np.uint8), bitorder="little")
    frames = bits[: count * seg.Rows * seg.Columns].reshape(count, -1)[order]
    packed = np.packbits(frames.reshape(-1), bitorder="little").tobytes()
    seg.PixelData = packed + b"\0" * (len(packed) % 2)
    groups = list(seg.PerFrameFunctionalGroupsSequence)
    seg.PerFrameFunctionalGroupsSequence = [groups[n] for n in order]
