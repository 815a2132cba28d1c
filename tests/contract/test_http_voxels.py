"""What comes out of HTTP equals, voxel for voxel, the bare nnInteractive session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.archive_tools import store_series
from tests.bare_session import Artifacts, BareSession, load_artifacts
from tests.drawing import draw
from tests.phantoms import PhantomSeries, make_series
from tests.service import ServiceProcess

from delineate.client import ClientSession, region_of
from delineate.demo.orthanc import OrthancServer
from delineate.domain.labelmap import Labelmap
from delineate.domain.session import step_seed

DEMO_MODEL = Path(__file__).parents[2] / "service" / "delineate" / "demo_model"
KINDS = ("point", "box", "scribble", "lasso")
SHAPE = (24, 40, 48)
AT = (9, 24, 19)
"""Inside the phantom's ellipsoid."""
SERIES: dict[str, dict[str, Any]] = {
    "axial": {"orientation": "axial"},
    "sagittal": {"orientation": "sagittal"},
    "coronal": {"orientation": "coronal"},
    "double-oblique": {"orientation": "oblique", "shuffled": True},
    "reversed": {"orientation": "oblique", "reversed_numbering": True},
    "anisotropic": {"orientation": "axial", "spacing": (7.5, 0.4, 1.9), "modality": "MR"},
    "multi-frame": {"orientation": "coronal", "multiframe": True},
}


def compare(session: ClientSession, series: PhantomSeries, artifacts: Artifacts, kind: str, axis: int) -> Labelmap:
    """Draw include, then exclude; each level must equal the bare session's."""
    number = session.add_segment()["number"]
    bare = BareSession(artifacts, series.voxels)
    thickness = session.info["model"]["scribble_thickness_voxels"]
    applied = Labelmap(SHAPE)
    for include, at in ((True, AT), (False, (AT[0] + 1, AT[1] + 3, AT[2] - 2))):
        drawn = draw(kind, at, axis, series.affine, series.frame_of_reference_uid, include=include, thickness=thickness)
        patch = session.submit(number, drawn.body)
        expected = bare.prompt([drawn.voxels], step_seed(drawn.body["id"]))
        labelmap, _ = session.labelmap(number)
        assert labelmap.equals(expected), f"{kind} include={include} across axis {axis}"
        applied = applied.apply(region_of(patch))
        assert applied.equals(expected)
        assert patch["volume_ml"] == pytest.approx(expected.count * np.prod(series.spec.spacing) / 1000, abs=1e-5)
        if include:
            assert not expected.is_empty
    return applied


@pytest.mark.parametrize("name", SERIES)
def test_every_kind_on_every_aligned_plane(
    name: str, orthanc: OrthancServer, tiny_service: ServiceProcess, tiny_model: Path
) -> None:
    series = make_series(shape=SHAPE, **SERIES[name])
    store_series(orthanc, series)
    artifacts = load_artifacts(tiny_model)
    with tiny_service.connect() as client:
        session = client.open_session(series.study_uid, series.series_uid)
        np.testing.assert_allclose(session.info["geometry"]["affine"], series.affine, atol=1e-3)
        assert [(s["sop_instance_uid"], s["frame_number"]) for s in session.info["slices"]] == list(series.slices)
        for kind in KINDS:
            for axis in range(3):
                compare(session, series, artifacts, kind, axis)
        session.close()


def test_the_demo_model_too(orthanc: OrthancServer, service: ServiceProcess) -> None:
    series = make_series(shape=SHAPE, orientation="oblique", reversed_numbering=True, modality="MR")
    store_series(orthanc, series)
    artifacts = load_artifacts(DEMO_MODEL)
    with service.connect() as client:
        session = client.open_session(series.study_uid, series.series_uid)
        for axis, kind in enumerate(KINDS[:3]):
            compare(session, series, artifacts, kind, axis)
        compare(session, series, artifacts, "lasso", 0)
        session.close()
