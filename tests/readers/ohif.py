"""The code with which OHIF 3.13.2 reads DICOM SEG, run in node."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.pixels.utils import pixel_array
from tests.phantoms import PhantomSeries
from tests.readers.acceptances import Mask

HERE = Path(__file__).parent


@dataclass(frozen=True, eq=False)
class OhifReading:
    """What OHIF would show of a SEG."""

    error: str | None
    masks: dict[int, Mask]
    """By segment number, axes (k, j, i)."""
    segments: tuple[tuple[int, str], ...]
    """Number and label of each segment, in the order in which OHIF colours them."""
    skipped: int
    """Frames that OHIF could not place."""


@dataclass(frozen=True, eq=False)
class OhifReadings:
    """The readings of the ways in which OHIF's packages load a SEG."""

    whole: OhifReading
    """What OHIF does: the instance is fetched whole and taken apart into frames."""
    frames: OhifReading
    """What OHIF does if that fails: each frame comes from the archive."""
    buffer: OhifReading
    """The packages' other loader, which OHIF does not use."""


def can_read() -> bool:
    """Tell whether node and its packages are installed (``npm ci`` in this folder)."""
    return shutil.which("node") is not None and (HERE / "node_modules").is_dir()


def read_segs(jobs: Sequence[tuple[bytes, PhantomSeries, Sequence[Dataset]]], folder: Path) -> list[OhifReadings]:
    """Read SEGs in one node process; each job is the SEG, its source's truth and the images in the viewer's stack."""
    manifest: list[dict[str, Any]] = []
    for n, (seg, _, datasets) in enumerate(jobs):
        path = folder / f"{n}.dcm"
        path.write_bytes(seg)
        images = [image for dataset in datasets for image in _images(dataset)]
        manifest.append({"seg": str(path), "frames": _frames(seg), "out": str(folder / str(n)), "images": images})
    done = subprocess.run(
        ["node", str(HERE / "ohif.mjs")], input=json.dumps(manifest), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    results = json.loads(done.stdout)
    return [
        OhifReadings(**{name: _reading(result[name], series, job["images"]) for name in ("whole", "frames", "buffer")})
        for result, job, (_, series, _) in zip(results, manifest, jobs, strict=True)
    ]


def _frames(seg: bytes) -> list[str]:
    """Return each frame as WADO-RS frames are: alone, from the start of a byte, 1-bit least significant bit first."""
    dataset = pydicom.dcmread(io.BytesIO(seg))
    frames = pixel_array(dataset, raw=True).reshape(-1, dataset.Rows, dataset.Columns)
    packed = [np.packbits(f, bitorder="little") if dataset.BitsAllocated == 1 else f for f in frames]
    return [base64.b64encode(frame.tobytes()).decode() for frame in packed]


def _images(dataset: Dataset) -> list[dict[str, Any]]:
    shared = {
        "uid": dataset.SOPInstanceUID,
        "series": dataset.SeriesInstanceUID,
        "frameOfReference": dataset.FrameOfReferenceUID,
        "rows": dataset.Rows,
        "columns": dataset.Columns,
    }
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        place: dict[str, Any] = {
            "position": [float(v) for v in dataset.ImagePositionPatient],
            "orientation": [float(v) for v in dataset.ImageOrientationPatient],
            "spacing": [float(v) for v in dataset.PixelSpacing],
        }
        return [{**shared, **place, "frame": 1, "frames": 1}]
    common = dataset.SharedFunctionalGroupsSequence[0]
    place = {
        "orientation": [float(v) for v in common.PlaneOrientationSequence[0].ImageOrientationPatient],
        "spacing": [float(v) for v in common.PixelMeasuresSequence[0].PixelSpacing],
        "frames": int(dataset.NumberOfFrames),
    }
    positions = [group.PlanePositionSequence[0] for group in dataset.PerFrameFunctionalGroupsSequence]
    return [
        {**shared, **place, "position": [float(v) for v in position.ImagePositionPatient], "frame": frame}
        for frame, position in enumerate(positions, 1)
    ]


def _reading(result: dict[str, Any], series: PhantomSeries, images: Sequence[dict[str, Any]]) -> OhifReading:
    if "error" in result:
        return OhifReading(result["error"], {}, (), 0)
    shown = np.fromfile(result["file"], np.uint16)
    shown = shown.reshape(result["layers"], len(images), *series.voxels.shape[1:])
    place = {(image["uid"], image["frame"]): n for n, image in enumerate(images)}
    order = [place[source] for source in series.slices]
    elsewhere = np.delete(shown, order, axis=1)
    if elsewhere.any():
        raise AssertionError("voxels on images that are not of the volume")
    in_order = shown[:, order]
    masks = {int(n): np.asarray((in_order == n).any(axis=0)) for n in np.unique(in_order) if n}
    segments = tuple((int(item["number"]), str(item["label"])) for item in result["segments"] if item)
    return OhifReading(None, masks, segments, int(result["skipped"]))
