"""Fixtures shared by every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from delineate.demo.orthanc import OrthancServer, orthanc_server


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    """Return a running Orthanc, shared by the whole test session.

    Tests put in their own studies with fresh UIDs and assume nothing else about its content.
    """
    with orthanc_server(tmp_path_factory.mktemp("orthanc")) as server:
        yield server
