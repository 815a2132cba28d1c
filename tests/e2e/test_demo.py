"""The demo as a user meets it: what `delineate segment` stored is what stock OHIF shows, and Ctrl-C ends it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from highdicom.seg import Segmentation
from scipy import ndimage
from tests.e2e.demo_process import DemoProcess, running
from tests.e2e.panel import IS_ONLINE, IS_SETTLED, STATE
from tests.e2e.viewer import DETAILED, Viewer

from delineate.demo import sample
from delineate.demo.processes import Server, is_port_free
from delineate.demo.upload import archive_client

Mask = npt.NDArray[np.bool_]

LIMIT_S = 900
"""Loading the model, a segmentation and software rendering take minutes on a busy machine."""

LEAST_DICE = 0.7
"""Agreement of the demo's segment with the ventricle's dark voxels; the demo model is small."""

pytestmark = pytest.mark.timeout(LIMIT_S)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProcess]:
    """Return a demo after its first start, with the head MRI and one stored segment."""
    process = DemoProcess(tmp_path_factory.mktemp("demo"))
    said = process.start()
    assert any("delineate segment" in line for line in said)
    yield process
    process.stop()


def test_the_stored_segment_is_the_left_lateral_ventricle(demo: DemoProcess) -> None:
    (segmentation,) = stored_segmentations(demo)
    (item,) = segmentation.SegmentSequence
    kind = item.SegmentedPropertyTypeCodeSequence[0]
    assert item.SegmentLabel == "Left lateral ventricle"
    assert (kind.CodeValue, kind.CodingSchemeDesignator) == ("66720007", "SCT")
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    expected = dark_region_at((8, -5, 18))
    shown = voxels_of(segmentation)
    assert 2 * (shown & expected).sum() / (shown.sum() + expected.sum()) > LEAST_DICE


def test_stock_viewer_shows_the_stored_voxels(demo: DemoProcess, tmp_path: Path) -> None:
    (segmentation,) = stored_segmentations(demo)
    out = Path(os.environ.get("SCREENSHOTS", tmp_path))
    with Viewer(f"http://127.0.0.1:{demo.port}") as viewer:
        viewer.open(sample.STUDY_INSTANCE_UID, "viewer", hangingProtocolId="mpr")
        viewer.load_stored(segmentation.SOPInstanceUID, "Left lateral ventricle")
        for plane in ("axial", "sagittal", "coronal"):
            viewer.look(f"mpr-{plane}", TOUR[0][1])
            viewer.screenshot(out / f"{plane}.png", f"mpr-{plane}")
        viewer.screenshot(out / "viewer.png")
        slices = [(str(sample.sop_instance_uid(k)), 1) for k in range(sample.SLICES)]
        (shown,) = viewer.labelmaps(slices, (sample.MATRIX, sample.MATRIX)).values()
        assert viewer.segments_with_voxels() == {"Left lateral ventricle"}
        assert viewer.errors == []
    np.testing.assert_array_equal(shown, voxels_of(segmentation))


def test_ctrl_c_ends_what_was_started_and_the_next_start_reuses_it(demo: DemoProcess, tmp_path: Path) -> None:
    (before,) = stored_segmentations(demo)
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with Server("Another program", command, tmp_path / "log", lambda: True) as bystander:
        started = demo.descendants()
        assert len(started) >= 3, "Orthanc, the service and the gateway"
        assert demo.interrupt() == 0
        assert not running(started)
        assert bystander.returncode is None
    for port in (demo.port, demo.archive_port, demo.service_port):
        assert is_port_free(port)

    said = "\n".join(demo.start())
    assert "was made and stored" not in said
    assert "delineate segment" not in said
    (after,) = stored_segmentations(demo)
    assert after.SOPInstanceUID == before.SOPInstanceUID


TOUR = (
    ("axial", (8, -5, 20), True),
    ("axial", (-20, 36, 18), False),
    ("axial", (28, 45, 5), True),
    ("coronal", (-1, -8, 16), False),
    ("sagittal", (15, -27, 5), True),
    ("axial", (-6, 1, 18), False),
)
"""Where a careful person clicks: plane, position (LPS, mm), include or exclude."""

IS_DONE = """revision => {
  const {session} = window.delineate.controller.getState();
  return session.segments.some(segment => segment.revision >= revision && segment.running === 0);
}"""


def test_a_person_segments_the_ventricle_in_the_viewer(demo: DemoProcess, tmp_path: Path) -> None:
    before = {segmentation.SOPInstanceUID for segmentation in stored_segmentations(demo)}
    out = Path(os.environ.get("SCREENSHOTS", tmp_path))
    with Viewer(f"http://127.0.0.1:{demo.port}", DETAILED) as viewer:
        viewer.open(sample.STUDY_INSTANCE_UID, hangingProtocolId="mpr")
        viewer.until(IS_ONLINE)
        viewer.screenshot(out / "viewer-1-start.png")
        viewer.press("delineate-start")
        viewer.until(IS_SETTLED)
        click_the_tour(viewer, out)
        name_it(viewer, out)
        viewer.press("delineate-accept")
        viewer.appears("delineate-stored-result")
        viewer.screenshot(out / "viewer-7-stored.png")
        volume_ml = viewer.evaluate(STATE)["session"]["segments"][0]["volumeMl"]
    (stored,) = [s for s in stored_segmentations(demo) if s.SOPInstanceUID not in before]
    (item,) = stored.SegmentSequence
    assert item.SegmentedPropertyTypeCodeSequence[0].CodeValue == "66720007"
    assert item.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    shown = voxels_of(stored)
    assert volume_ml == pytest.approx(shown.sum() / 1000)
    expected = dark_region_at((8, -5, 18))
    assert 2 * (shown & expected).sum() / (shown.sum() + expected.sum()) > LEAST_DICE


def click_the_tour(viewer: Viewer, out: Path) -> None:
    """Give the prompts of the tour by mouse and keys, and look at each answer."""
    viewer.key("p")
    including = True
    for number, (plane, point, include) in enumerate(TOUR, start=1):
        if include != including:
            viewer.key("t")
            including = include
        viewer.look(f"mpr-{plane}", point)
        viewer.click(f"mpr-{plane}", point)
        viewer.until(IS_DONE, number)
        for other in ("axial", "sagittal", "coronal"):
            viewer.look(f"mpr-{other}", TOUR[0][1])
        viewer.screenshot(out / f"viewer-{min(number, 3) + 1}-prompts.png")


def name_it(viewer: Viewer, out: Path) -> None:
    """Choose the coded name, with its side."""
    viewer.press("delineate-name")
    viewer.type("delineate-terminology-search", "lateral ventricle")
    viewer.appears("delineate-terminology-option")
    viewer.screenshot(out / "viewer-5-naming.png")
    viewer.press("delineate-terminology-option")
    viewer.press("delineate-laterality-7771000")
    viewer.press("delineate-naming-done")


def stored_segmentations(demo: DemoProcess) -> list[Segmentation]:
    """Fetch every SEG of the sample study from the archive."""
    orthanc = demo.archive
    archive = archive_client(orthanc.dicomweb_url, orthanc.username, orthanc.password)
    found: list[Segmentation] = []
    for series in archive.search_for_series(sample.STUDY_INSTANCE_UID, search_filters={"Modality": "SEG"}):
        uids = (sample.STUDY_INSTANCE_UID, series["0020000E"]["Value"][0])
        instances = archive.retrieve_series(*uids, media_types=(("application/dicom", "*"),))
        found.extend(Segmentation.from_dataset(instance) for instance in instances)
    return found


def voxels_of(segmentation: Segmentation) -> Mask:
    """Return segment 1 by the source images that its frames reference, axes (k, j, i)."""
    uids = [str(sample.sop_instance_uid(k)) for k in range(sample.SLICES)]
    pixels = segmentation.get_pixels_by_source_instance(
        uids, segment_numbers=[1], assert_missing_frames_are_empty=True, ignore_spatial_locations=True
    )
    return np.asarray(pixels[..., 0] != 0)


def dark_region_at(point: tuple[int, int, int]) -> Mask:
    """Return the dark voxels (cerebrospinal fluid) around a point (LPS, mm) that hang together."""
    voxels, (x_mm, y_mm, z_mm) = sample.head_voxels()
    dark = ndimage.binary_opening((voxels > 0) & (voxels < 120))
    labels, _ = ndimage.label(dark)
    x, y, z = point
    return np.asarray(labels == labels[round(x_mm - x), round(z_mm - z), round(y - y_mm)])
