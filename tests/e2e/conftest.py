"""The whole of the product for the browser's tests: archive, service with the demo model, gateway, stock OHIF."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.archive_tools import store_series
from tests.e2e.viewer import Viewer
from tests.phantoms.series import PhantomSeries, make_series
from tests.service import ServiceProcess

from delineate.client import Client
from delineate.demo.gateway import Gateway
from delineate.demo.layout import REPOSITORY
from delineate.demo.orthanc import OrthancServer
from delineate.demo.processes import free_port

VIEWER_DIST = REPOSITORY / ".cache" / "ohif" / "dist"
FAILED = pytest.StashKey[list[bool]]()
SHAPE = (24, 64, 72)
SPACING = (3.0, 1.25, 1.25)


@dataclass(frozen=True, slots=True)
class Stage:
    """What a browser meets.

    Parameters
    ----------
    archive : OrthancServer
        The archive, shared by all tests of the run.
    service : ServiceProcess
        The service, with the demo model.
    gateway : Gateway
        The one origin.
    """

    archive: OrthancServer
    service: ServiceProcess
    gateway: Gateway

    def store(self, **options: Any) -> PhantomSeries:
        """Make a small series with a bright ellipsoid, and put it into the archive."""
        series = make_series(**({"shape": SHAPE, "spacing": SPACING} | options))
        store_series(self.archive, series)
        return series


@pytest.fixture(scope="session")
def stage(orthanc: OrthancServer, service: ServiceProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Return the running whole."""
    with gateway_to(orthanc, service.port, tmp_path_factory.mktemp("gateway")) as gateway:
        yield Stage(orthanc, service, gateway)


@pytest.fixture(scope="session")
def browser(stage: Stage) -> Iterator[Viewer]:
    """Return a browser in front of the stage; one for all tests."""
    with Viewer(stage.gateway.url) as viewer:
        yield viewer


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note on the test whether it has failed, for the picture of the page."""
    report = yield
    item.stash.setdefault(FAILED, []).append(report.failed)
    return report


@pytest.fixture
def viewer(browser: Viewer, screenshots: Path, request: pytest.FixtureRequest) -> Iterator[Viewer]:
    """Return the browser without a memory of the last test; an uncaught error of the page fails the test."""
    browser.fresh()
    yield browser
    if any(request.node.stash.get(FAILED, [])):
        browser.screenshot(screenshots / f"failed-{request.node.name}.png")
    assert browser.errors == []


@pytest.fixture
def client(stage: Stage) -> Iterator[Client]:
    """Return a client of the service, past the gateway."""
    with stage.service.connect() as client:
        yield client


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Return where pictures go: the folder named by ``SCREENSHOTS``, or one that is thrown away."""
    return Path(os.environ.get("SCREENSHOTS", tmp_path))


def gateway_to(orthanc: OrthancServer, service_port: int, folder: Path) -> Gateway:
    """Return a gateway that is not started yet."""
    return Gateway(
        folder, free_port(), orthanc.http_port, orthanc.username, orthanc.password, service_port, VIEWER_DIST
    )


@contextmanager
def pointed_at(viewer: Viewer, url: str) -> Iterator[None]:
    """Use another gateway for a while."""
    before, viewer.url = viewer.url, url
    try:
        yield
    finally:
        viewer.url = before
