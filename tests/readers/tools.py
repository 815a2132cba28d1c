"""Readers that are programs: dcmqi's segimage2itkimage, and the validators dciodvfy and dcentvfy of dicom3tools."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK
from tests.phantoms import PhantomSeries
from tests.readers.acceptances import Mask, plan_of

CENTRE_TOLERANCE_VOXELS = 0.01
"""How far from a voxel's centre a reader may place it."""


def dcmqi_masks(seg: bytes, series: PhantomSeries) -> dict[int, Mask]:
    """Return each segment as dcmqi reads it, brought to the source's grid by patient positions."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "seg.dcm").write_bytes(seg)
        program = Path(sys.executable).with_name("segimage2itkimage")
        where = ["--inputDICOM", str(folder / "seg.dcm"), "--outputDirectory", str(folder)]
        done = subprocess.run(
            [program, *where, "--prefix", "s", "-t", "nrrd"], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        images = {int(file.stem.removeprefix("s-")): SimpleITK.ReadImage(file) for file in folder.glob("s-*.nrrd")}
    if pydicom.dcmread(io.BytesIO(seg)).SegmentationType == "BINARY":
        return {number: on_grid(image != 0, series) for number, image in images.items()}
    (image,) = images.values()
    numbers = np.unique(SimpleITK.GetArrayFromImage(image))
    return {int(number): on_grid(image == int(number), series) for number in numbers if number}


def on_grid(image: SimpleITK.Image, series: PhantomSeries) -> Mask:
    """Place an image's non-zero voxels on the source's grid."""
    geometry = plan_of(series).geometry
    found = np.argwhere(SimpleITK.GetArrayFromImage(image))[:, ::-1]
    placed: Any = image
    direction = np.array(placed.GetDirection()).reshape(3, 3)
    positions = np.array(placed.GetOrigin()) + (found * np.array(placed.GetSpacing())) @ direction.T
    continuous = geometry.to_continuous(positions)
    index = geometry.to_index(positions)
    assert not found.size or np.abs(continuous - index).max() < CENTRE_TOLERANCE_VOXELS
    mask = np.zeros(geometry.shape, np.bool_)
    mask[tuple(index.T)] = True
    assert np.count_nonzero(mask) == len(found)
    return mask


def dciodvfy_errors(instance: bytes) -> list[str]:
    """Return what dciodvfy finds wrong with an instance."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "instance.dcm")
        file.write_bytes(instance)
        return _errors("dciodvfy", file)


def dcentvfy_errors(instances: Sequence[bytes]) -> list[str]:
    """Return where instances of one patient and study contradict each other."""
    with tempfile.TemporaryDirectory() as name:
        files = [Path(name, f"{n}.dcm") for n in range(len(instances))]
        for file, instance in zip(files, instances, strict=True):
            file.write_bytes(instance)
        return _errors("dcentvfy", *files)


def _errors(program: str, *files: Path) -> list[str]:
    done = subprocess.run([program, *files], capture_output=True, text=True, errors="replace", check=False)
    return re.findall(r"^Error.*$", done.stdout + done.stderr, re.MULTILINE)
