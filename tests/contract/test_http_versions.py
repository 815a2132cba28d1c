"""Versions of stored segmentations over HTTP: who made which, and two users at one time; against a real Orthanc."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from tests.archive_tools import instances_of, store_instances, store_series
from tests.conftest import tiny_service_in
from tests.phantoms import PhantomSeries, make_series
from tests.readers.acceptances import blob
from tests.readers.by_position import position_masks
from tests.readers.cases import two
from tests.readers.dcmqi_segs import dcmqi_seg
from tests.readers.foreign_segs import as_bytes, foreign_seg
from tests.service import ServiceProcess

from delineate.client import Client, ClientSession, ServiceError
from delineate.demo.orthanc import OrthancServer

SHAPE = (12, 20, 24)
TOKENS = {"Lovelace^Ada": "a token of Ada 0123456789", "Hopper^Grace": "a token of Grace 0123456789"}


@pytest.fixture(scope="module")
def process(
    orthanc: OrthancServer, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    folder = tmp_path_factory.mktemp("versions")
    process = tiny_service_in(folder, orthanc, tiny_model, DELINEATE_TOKENS=json.dumps(TOKENS))
    process.start()
    yield process
    process.stop()


@pytest.fixture
def clients(process: ServiceProcess) -> Iterator[list[Client]]:
    with process.connect(TOKENS["Lovelace^Ada"]) as ada, process.connect(TOKENS["Hopper^Grace"]) as grace:
        yield [ada, grace]


@pytest.fixture
def series(orthanc: OrthancServer) -> PhantomSeries:
    series = make_series(shape=SHAPE, orientation="oblique", shuffled=True)
    store_series(orthanc, series)
    return series


@pytest.fixture
def first(orthanc: OrthancServer, series: PhantomSeries) -> str:
    """Return the SOP Instance UID of a segmentation that another maker has stored."""
    seg = foreign_seg(series, two(SHAPE))
    store_instances(orthanc, [as_bytes(seg)])
    return str(seg.SOPInstanceUID)


def refined(client: Client, series: PhantomSeries, uid: str, radius: float) -> ClientSession:
    session = client.open_session(series.study_uid, series.series_uid, segmentation_sop_instance_uid=uid)
    session.set_labelmap(1, blob(SHAPE, (0.5, 0.5, 0.5), radius))
    return session


def accepted(client: Client, session: ClientSession, **options: Any) -> dict[str, Any]:
    return client.wait_for_result(session.accept(**options)["id"])


def test_versions_are_listed_with_who_and_when(clients: list[Client], series: PhantomSeries, first: str) -> None:
    ada, grace = clients
    second = accepted(ada, refined(ada, series, first, 0.2))["sop_instance_uid"]
    third = accepted(grace, refined(grace, series, second, 0.3))["sop_instance_uid"]
    listed = {v["sop_instance_uid"]: v for v in grace.segmentations(series.study_uid, series.series_uid)}
    assert {uid: (v["version"], v["newest"]) for uid, v in listed.items()} == {
        first: (1, False),
        second: (2, False),
        third: (3, True),
    }
    assert listed[first]["made_by"] == "Acme Segmentor"
    assert (listed[second]["creator"], listed[third]["creator"]) == ("Lovelace^Ada", "Hopper^Grace")
    assert listed[third]["predecessors"] == [second]
    assert listed[second]["created_at"]
    assert [s["label"] for s in listed[third]["segments"]] == ["Acme finding 1", "Acme finding 2"]
    assert grace.segmentations(series.study_uid, "1.2.3") == []


def test_a_newer_version_of_another_user_is_a_choice(
    clients: list[Client], orthanc: OrthancServer, series: PhantomSeries, first: str
) -> None:
    ada, grace = clients
    of_ada, of_grace = refined(ada, series, first, 0.2), refined(grace, series, first, 0.3)
    newer = accepted(ada, of_ada)["sop_instance_uid"]
    with pytest.raises(ServiceError) as refused:
        of_grace.accept()
    problem = refused.value.problem
    assert (problem["type"], problem["status"]) == ("urn:delineate:problem:newer-versions", 409)
    assert problem["base"] == first
    assert [(v["sop_instance_uid"], v["creator"]) for v in problem["versions"]] == [(newer, "Lovelace^Ada")]
    assert "known_versions" in problem["detail"]
    assert len(instances_of(orthanc, series.study_uid, "SEG")) == 2
    beside = accepted(grace, of_grace, known_versions=[newer])
    assert beside["predecessor_sop_instance_uid"] == first
    read = {str(uid): position_masks(data, series) for uid, data in by_uid(orthanc, series).items()}
    assert np.array_equal(read[newer][1], blob(SHAPE, (0.5, 0.5, 0.5), 0.2))
    assert np.array_equal(read[beside["sop_instance_uid"]][1], blob(SHAPE, (0.5, 0.5, 0.5), 0.3))
    assert set(read) == {first, newer, beside["sop_instance_uid"]}


def by_uid(orthanc: OrthancServer, series: PhantomSeries) -> dict[str, bytes]:
    found = instances_of(orthanc, series.study_uid, "SEG")
    return {str(pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True).SOPInstanceUID): data for data in found}


def test_of_two_who_accept_at_one_time_one_gets_the_choice_and_nothing_is_lost(
    clients: list[Client], orthanc: OrthancServer, series: PhantomSeries, first: str
) -> None:
    sessions = [refined(client, series, first, radius) for client, radius in zip(clients, (0.2, 0.3), strict=True)]

    def attempt(session: ClientSession) -> dict[str, Any]:
        try:
            return session.accept()
        except ServiceError as error:
            return error.problem

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(attempt, sessions))
    refused = [n for n, outcome in enumerate(outcomes) if outcome.get("status") == 409]
    assert len(refused) == 1
    loser = refused[0]
    winner = clients[1 - loser].wait_for_result(outcomes[1 - loser]["id"])
    (known,) = [v["sop_instance_uid"] for v in outcomes[loser]["versions"]]
    assert known == winner["sop_instance_uid"]
    accepted(clients[loser], sessions[loser], known_versions=[known])
    assert len(by_uid(orthanc, series)) == 3


def test_what_one_session_accepts_twice_are_versions_of_each_other(
    clients: list[Client], series: PhantomSeries, first: str
) -> None:
    session = refined(clients[0], series, first, 0.2)
    second = accepted(clients[0], session)
    session.set_labelmap(1, blob(SHAPE, (0.5, 0.5, 0.5), 0.3))
    third = accepted(clients[0], session)
    assert third["predecessor_sop_instance_uid"] == second["sop_instance_uid"]
    assert second["predecessor_sop_instance_uid"] == first


def test_a_segmentation_of_dcmqi_is_changed_in_one_segment_and_the_others_stay(
    clients: list[Client], orthanc: OrthancServer, series: PhantomSeries
) -> None:
    third = np.zeros(SHAPE, dtype=np.bool_)
    third[2:5, 15:, :4] = True
    masks = [*two(SHAPE), third & ~np.any(two(SHAPE), axis=0)]
    made = dcmqi_seg(series, masks)
    store_instances(orthanc, [made])
    before = pydicom.dcmread(io.BytesIO(made))
    session = clients[0].open_session(
        series.study_uid, series.series_uid, segmentation_sop_instance_uid=before.SOPInstanceUID
    )
    assert session.info["opened_from"]["read_only"] is None
    for number, mask in enumerate(masks, 1):
        assert np.array_equal(session.labelmap(number)[0].to_array(), mask)
    changed = masks[1].copy()
    changed[np.unravel_index(np.argmax(changed), SHAPE)] = False
    session.set_labelmap(2, changed)
    result = accepted(clients[0], session)
    data = by_uid(orthanc, series)[result["sop_instance_uid"]]
    after = pydicom.dcmread(io.BytesIO(data))
    read = position_masks(data, series)
    for number, mask in enumerate([masks[0], changed, masks[2]], 1):
        assert np.array_equal(read[number], mask)
    for number in (0, 2):
        assert kept(after.SegmentSequence[number]) == kept(before.SegmentSequence[number])
    assert after.SegmentSequence[1].SegmentAlgorithmName == "GrowCut"
    (reference,) = after.ReferencedInstanceSequence
    assert reference.ReferencedSOPInstanceUID == before.SOPInstanceUID
    listed = {v["sop_instance_uid"]: v for v in clients[0].segmentations(series.study_uid, series.series_uid)}
    assert (listed[before.SOPInstanceUID]["version"], listed[result["sop_instance_uid"]]["version"]) == (1, 2)
    assert listed[before.SOPInstanceUID]["creator"] == "Reader1"


def kept(item: pydicom.Dataset) -> dict[str, Any]:
    """Return a segment's attributes but the tracking identifiers, which a version has even if there were none."""
    said: dict[str, Any] = item.to_json_dict()
    return {tag: element for tag, element in said.items() if tag not in ("00620020", "00620021")}
