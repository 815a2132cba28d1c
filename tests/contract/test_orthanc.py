"""The Orthanc that the other contract tests and the demo rely on."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from delineate.demo.orthanc import OrthancServer, orthanc_server


def test_orthanc_answers_with_credentials_only(orthanc: OrthancServer) -> None:
    url = f"{orthanc.dicomweb_url}/studies"
    auth = (orthanc.username, orthanc.password)
    assert httpx.get(url, auth=auth).status_code == 200
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, auth=(orthanc.username, "")).status_code == 401


def test_orthanc_can_be_stopped_and_started_again(tmp_path: Path) -> None:
    with orthanc_server(tmp_path) as server:
        server.stop()
        with pytest.raises(httpx.TransportError):
            httpx.get(server.rest_url)
        server.start()
        assert server.is_ready()
    assert not server.is_ready()
