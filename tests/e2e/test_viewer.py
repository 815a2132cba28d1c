"""Stock OHIF in a real browser, through the gateway: what is stored is what is shown."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from highdicom import UID
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentDescription
from pydicom.sr.codedict import codes

from delineate.demo import sample
from delineate.demo.gateway import Gateway
from delineate.demo.layout import REPOSITORY, program
from delineate.demo.orthanc import OrthancServer
from delineate.demo.processes import free_port
from delineate.demo.upload import archive_client, store_sample

VIEWER_TIMEOUT_S = 240
"""Software rendering on a busy machine is slow."""


@dataclass(frozen=True, slots=True)
class StoredSegmentation:
    """A DICOM SEG in the archive: its SOP Instance UID and its labelmap (k, j, i)."""

    sop_instance_uid: str
    voxels: npt.NDArray[np.bool_]


@pytest.fixture(scope="module")
def gateway(orthanc: OrthancServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Return a gateway that serves stock OHIF."""
    folder = tmp_path_factory.mktemp("gateway")
    viewer = REPOSITORY / ".cache" / "ohif" / "dist"
    credentials = (orthanc.username, orthanc.password)
    with Gateway(folder, free_port(), orthanc.http_port, *credentials, free_port(), viewer) as running:
        yield running


@pytest.fixture(scope="module")
def stored(orthanc: OrthancServer) -> StoredSegmentation:
    """Return a SEG of the right half of the brightest tissue of the sample head."""
    archive = archive_client(orthanc.dicomweb_url, orthanc.username, orthanc.password)
    store_sample(archive)
    instances = list(sample.head_series())
    voxels = np.stack([instance.pixel_array for instance in instances]) > 215
    voxels[: len(voxels) // 2] = False
    segmentation = Segmentation(
        source_images=instances,
        pixel_array=voxels.astype(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=[
            SegmentDescription(1, "Bright tissue", codes.SCT.Tissue, codes.SCT.Brain, SegmentAlgorithmTypeValues.MANUAL)
        ],
        series_instance_uid=UID(),
        series_number=2,
        sop_instance_uid=UID(),
        instance_number=1,
        manufacturer="Delineate",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
    )
    segmentation.preamble = b"\0" * 128
    archive.store_instances([segmentation])
    return StoredSegmentation(str(segmentation.SOPInstanceUID), voxels)


def test_stock_viewer_shows_the_stored_segmentation(
    gateway: Gateway, stored: StoredSegmentation, tmp_path: Path
) -> None:
    out = Path(os.environ.get("SCREENSHOTS", tmp_path))
    _run_viewer(gateway.url, stored.sop_instance_uid, out)
    report = json.loads((out / "segmentation.json").read_text())
    assert report["errors"] == []
    assert report["labels"] == {"1": "Bright tissue"}
    np.testing.assert_array_equal(_shown_voxels(report["slices"]), stored.voxels)


def _run_viewer(url: str, sop_instance_uid: str, out: Path) -> None:
    script = Path(__file__).with_name("viewer.mjs")
    subprocess.run(
        [
            program("node"),
            str(script),
            *("--url", url),
            *("--study", sample.STUDY_INSTANCE_UID),
            *("--segmentation", sop_instance_uid),
            *("--out", str(out)),
        ],
        check=True,
        timeout=VIEWER_TIMEOUT_S,
    )


def _shown_voxels(slices: dict[str, str]) -> npt.NDArray[np.bool_]:
    """Put what the viewer holds for each source image where that image lies."""
    index = {str(sample.sop_instance_uid(k)): k for k in range(sample.SLICES)}
    voxels = np.zeros((sample.SLICES, sample.MATRIX, sample.MATRIX), np.bool_)
    for sop_instance_uid, encoded in slices.items():
        labels = np.frombuffer(base64.b64decode(encoded), np.uint8)
        voxels[index[sop_instance_uid]] = labels.reshape(sample.MATRIX, sample.MATRIX)
    return voxels
