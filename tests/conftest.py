"""Fixtures shared by every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service import ServiceProcess
from tests.tiny_model import LICENCE, write_tiny_model

from delineate.demo.orthanc import OrthancServer, orthanc_server

FIGURES = "figures"
"""Property in which a test records what it measured, in words."""


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what was measured, also by tests that passed."""
    reports = [r for r in terminalreporter.getreports("passed") if isinstance(r, pytest.TestReport)]
    measured = [(r.nodeid, value) for r in reports for name, value in r.user_properties if name == FIGURES]
    if measured:
        terminalreporter.section("measured")
    for test, words in measured:
        terminalreporter.write_line(f"{test}: {words}")


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    """Return a running Orthanc, shared by the whole test session.

    Tests put in their own studies with fresh UIDs and assume nothing else about its content.
    """
    with orthanc_server(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture(scope="session")
def service(orthanc: OrthancServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Return a running service over the shared Orthanc, with the demo model."""
    data_dir = tmp_path_factory.mktemp("service") / "data"
    process = ServiceProcess(orthanc.dicomweb_url, orthanc.username, orthanc.password, data_dir)
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a model whose answers depend on every voxel and prompt, and take milliseconds."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def tiny_service(
    orthanc: OrthancServer, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    """Return a running service over the shared Orthanc, with the tiny model."""
    process = tiny_service_in(tmp_path_factory.mktemp("tiny-service"), orthanc, tiny_model)
    process.start()
    yield process
    process.stop()


def tiny_service_in(folder: Path, orthanc: OrthancServer, model: Path, **environment: str) -> ServiceProcess:
    """Return a service with the tiny model, not started yet."""
    settings = {
        "DELINEATE_MODEL": str(model),
        "DELINEATE_MODEL_LICENCE_ACCEPTED": LICENCE,
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    return ServiceProcess(
        orthanc.dicomweb_url, orthanc.username, orthanc.password, folder / "data", settings | environment
    )
