"""Accept through HTTP: what the PACS really holds afterwards, and what happens when it does not play along."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid
from tests.archive_tools import instances_of, store_series
from tests.conftest import tiny_service_in
from tests.phantoms import PhantomSeries, make_series
from tests.service import ServiceProcess
from tests.tampering import Tampering, tampering_proxy

from delineate.client import Client, ClientSession
from delineate.demo.orthanc import OrthancServer

SHAPE = (12, 20, 24)
NAME: dict[str, Any] = {
    "label": "Left kidney",
    "category": {"value": "91723000", "scheme": "SCT", "meaning": "Anatomical Structure"},
    "type": {"value": "64033007", "scheme": "SCT", "meaning": "Kidney"},
    "laterality": {"value": "7771000", "scheme": "SCT", "meaning": "Left"},
    "colour": [10, 200, 30],
}
TOKEN = "a token of Ada 0123456789"


@pytest.fixture
def archive(orthanc: OrthancServer) -> Iterator[Tampering]:
    with tampering_proxy(orthanc.dicomweb_url) as rules:
        yield rules


@pytest.fixture
def accepting(archive: Tampering, orthanc: OrthancServer, tiny_model: Path, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A service whose archive can be made to misbehave."""
    tokens = json.dumps({"Lovelace^Ada": TOKEN})
    process = tiny_service_in(tmp_path, orthanc, tiny_model, DELINEATE_TOKENS=tokens)
    process.archive_url = archive.url
    process.start()
    yield process
    process.stop()


@pytest.fixture
def series(orthanc: OrthancServer) -> PhantomSeries:
    series = make_series(shape=SHAPE, orientation="oblique", patient_name="Müller^Jürgen")
    store_series(orthanc, series)
    return series


def painted(client: Client, series: PhantomSeries) -> tuple[ClientSession, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Open a session with one named, drawn segment."""
    session = client.open_session(series.study_uid, series.series_uid)
    session.add_segment(**NAME)
    voxels = np.random.default_rng(3).random(SHAPE) < 0.2
    voxels[[0, 5]] = False
    session.set_labelmap(1, voxels)
    return session, voxels


def segs(orthanc: OrthancServer, series: PhantomSeries) -> list[Dataset]:
    """Return every SEG that the archive holds of the study."""
    return [dcmread(io.BytesIO(data)) for data in instances_of(orthanc, series.study_uid, "SEG")]


def state_of(client: Client, result: str, wanted: str, timeout_s: float = 60) -> dict[str, Any]:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        reply = client.result(result)
        if reply["state"] == wanted:
            return reply
        time.sleep(0.05)
    raise AssertionError(f"the result is {reply}, not {wanted}")


def test_what_the_archive_holds_after_an_accept(
    accepting: ServiceProcess, orthanc: OrthancServer, series: PhantomSeries
) -> None:
    with accepting.connect(TOKEN) as client:
        session, voxels = painted(client, series)
        result = client.wait_for_result(session.accept(series_description="Kidney, AI-assisted")["id"])
        assert session.refresh()["results"] == [result["id"]]
    (seg,) = segs(orthanc, series)
    assert seg.SOPInstanceUID == result["sop_instance_uid"]
    assert seg.SeriesInstanceUID == result["series_instance_uid"]
    assert seg.SeriesDescription == "Kidney, AI-assisted"
    assert str(seg.PatientName) == "Müller^Jürgen"
    assert str(seg.ContentCreatorName) == "Lovelace^Ada"
    (segment,) = seg.SegmentSequence
    assert segment.SegmentLabel == "Left kidney"
    assert segment.SegmentAlgorithmType == "MANUAL"
    (kind,) = segment.SegmentedPropertyTypeCodeSequence
    assert (kind.CodeValue, kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning) == ("64033007", "Left")
    assert np.array_equal(in_session_order(seg, series), voxels)


def in_session_order(seg: Dataset, series: PhantomSeries) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return the SEG's voxels (k, j, i), each frame placed by its position in the patient."""
    out = np.zeros(SHAPE, dtype=np.bool_)
    inverse = np.linalg.inv(series.affine)
    for frame, pixels in zip(seg.PerFrameFunctionalGroupsSequence, seg.pixel_array, strict=True):
        position = np.append(np.array(frame.PlanePositionSequence[0].ImagePositionPatient, dtype=float), 1.0)
        k, j, i = np.rint((inverse @ position)[:3]).astype(int)
        assert (j, i) == (0, 0)
        out[k] = pixels
    return out


def test_an_archive_that_refuses_fails_the_result_with_its_reason_and_can_be_tried_again(
    accepting: ServiceProcess, archive: Tampering, orthanc: OrthancServer, series: PhantomSeries
) -> None:
    refused = {
        "00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xA900]}}]},
    }
    body = json.dumps(refused).encode()
    archive.answer = lambda method, _: (
        (409, {"content-type": "application/dicom+json"}, body) if method == "POST" else None
    )
    with accepting.connect(TOKEN) as client:
        session, _ = painted(client, series)
        failed = state_of(client, session.accept()["id"], "failed")
        assert failed["problem"] == "StoreRefused"
        assert "A900" in failed["reason"].upper()
        assert segs(orthanc, series) == []
        archive.answer = lambda *_: None
        client.call("POST", f"/results/{failed['id']}/retry")
        state_of(client, failed["id"], "stored")
    assert len(segs(orthanc, series)) == 1


def test_an_archive_that_changes_the_patient_does_not_count_as_stored(
    accepting: ServiceProcess, archive: Tampering, series: PhantomSeries
) -> None:
    archive.change = lambda _, path, body: body.replace(b"PHANTOM-1", b"PHANTOM-2") if "/instances/" in path else body
    with accepting.connect(TOKEN) as client:
        session, _ = painted(client, series)
        failed = state_of(client, session.accept()["id"], "failed")
        assert failed["problem"] == "StoredDifferently"
        assert "PatientID" in failed["reason"]


def test_an_archive_that_is_away_leaves_the_result_waiting_and_it_is_stored_once_when_it_is_back(
    accepting: ServiceProcess, archive: Tampering, orthanc: OrthancServer, series: PhantomSeries
) -> None:
    with accepting.connect(TOKEN) as client:
        session, _ = painted(client, series)
        archive.answer = lambda *_: (503, {}, b"")
        waiting = state_of(client, session.accept()["id"], "waiting", timeout_s=120)
        assert waiting["reason"]
        assert waiting["next_try_at"] > time.time() - 60
        accepting.kill()
        archive.answer = lambda *_: None
        accepting.start()
    with accepting.connect(TOKEN) as client:
        state_of(client, waiting["id"], "stored", timeout_s=120)
    assert len(segs(orthanc, series)) == 1


def test_kill_9_after_the_store_stores_nothing_twice(
    accepting: ServiceProcess, archive: Tampering, orthanc: OrthancServer, series: PhantomSeries
) -> None:
    def away_once_stored(method: str, path: str) -> tuple[int, dict[str, str], bytes] | None:
        return (503, {}, b"") if method == "GET" and archive.stores and "/instances" in path else None

    with accepting.connect(TOKEN) as client:
        session, voxels = painted(client, series)
        archive.answer = away_once_stored
        result = session.accept()["id"]
        state_of(client, result, "waiting", timeout_s=120)
        accepting.kill()
        archive.answer = lambda *_: None
        accepting.start()
    with accepting.connect(TOKEN) as client:
        state_of(client, result, "stored", timeout_s=120)
    assert archive.stores == 3, "the SEG, its measurements and its prompts"
    (seg,) = segs(orthanc, series)
    assert np.array_equal(in_session_order(seg, series), voxels)


def test_the_same_accept_again_is_the_same_result(
    accepting: ServiceProcess, orthanc: OrthancServer, series: PhantomSeries
) -> None:
    with accepting.connect(TOKEN) as client:
        session, _ = painted(client, series)
        key = {"Idempotency-Key": generate_uid()}
        first, second = (client.call("POST", f"{session.path}/accept", {}, headers=key) for _ in range(2))
        assert first["id"] == second["id"]
        client.wait_for_result(first["id"])
    assert len(segs(orthanc, series)) == 1
