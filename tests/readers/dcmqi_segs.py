"""Segmentations as dcmqi's itkimage2segimage makes them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from tests.phantoms import PhantomSeries
from tests.readers.acceptances import Mask, plan_of

LESION = ("49755003", "SCT", "Morphologically Altered Structure"), ("108369006", "SCT", "Neoplasm")
ORGAN = ("123037004", "SCT", "Anatomical Structure"), ("10200004", "SCT", "Liver")


def dcmqi_seg(series: PhantomSeries, masks: Sequence[Mask]) -> bytes:
    """Return a segmentation of masks without a voxel in common as a Part 10 file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = folder / "images"
        images.mkdir()
        for number, instance in enumerate(series.part10()):
            (images / f"{number}.dcm").write_bytes(instance)
        numbered: Any = sum(mask * number for number, mask in enumerate(masks, 1))
        SimpleITK.WriteImage(_image(np.asarray(numbered, np.uint8), series), folder / "labels.nrrd")
        (folder / "meta.json").write_text(json.dumps(_meta(len(masks))))
        program = Path(sys.executable).with_name("itkimage2segimage")
        given = {
            "--inputImageList": folder / "labels.nrrd",
            "--inputDICOMDirectory": images,
            "--inputMetadata": folder / "meta.json",
            "--outputDICOM": folder / "seg.dcm",
        }
        arguments = [str(part) for pair in given.items() for part in pair]
        done = subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return (folder / "seg.dcm").read_bytes()


def _image(labels: np.ndarray[Any, np.dtype[np.uint8]], series: PhantomSeries) -> SimpleITK.Image:
    image: Any = SimpleITK.GetImageFromArray(labels)
    affine = plan_of(series).geometry.matrix
    columns = affine[:3, [2, 1, 0]]
    spacing = np.linalg.norm(columns, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((columns / spacing).ravel().tolist())
    made: SimpleITK.Image = image
    return made


def _meta(count: int) -> dict[str, Any]:
    return {
        "ContentCreatorName": "Reader1",
        "SeriesDescription": "Made by dcmqi",
        "SeriesNumber": "300",
        "InstanceNumber": "1",
        "ContentLabel": "SEGMENTATION",
        "ContentDescription": "Segmentation of dcmqi",
        "segmentAttributes": [[_segment(number) for number in range(1, count + 1)]],
    }


def _segment(number: int) -> dict[str, Any]:
    category, kind = LESION if number > 1 else ORGAN
    names = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
    return {
        "labelID": number,
        "SegmentLabel": f"dcmqi finding {number}",
        "SegmentDescription": f"Described {number}",
        "SegmentAlgorithmType": "SEMIAUTOMATIC",
        "SegmentAlgorithmName": "GrowCut",
        "SegmentedPropertyCategoryCodeSequence": dict(zip(names, category, strict=True)),
        "SegmentedPropertyTypeCodeSequence": dict(zip(names, kind, strict=True)),
        "recommendedDisplayRGBValue": [40 * number, 200, 30],
    }
