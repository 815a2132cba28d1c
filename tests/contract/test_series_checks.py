"""Every fault of a series, through real Orthanc and HTTP: a 4xx problem that names cause and instances; never a 500."""

from __future__ import annotations

import re
from typing import Protocol

import httpx
import numpy as np
import pytest
from pydicom.uid import generate_uid
from tests.archive_tools import store_series
from tests.phantoms import (
    HOSTILE,
    MULTI,
    SINGLE,
    TRANSFER_SYNTAXES,
    HostileSeries,
    PhantomSeries,
    make_kind,
    make_series,
)
from tests.service import ServiceProcess

from delineate.demo.orthanc import OrthancServer
from delineate.http.problems import problem_type

KINDS = [(kind, False) for kind in SINGLE] + [(kind, True) for kind in MULTI]


@pytest.fixture(scope="module")
def client(tiny_service: ServiceProcess) -> httpx.Client:
    return tiny_service.client


@pytest.fixture(scope="module")
def good(orthanc: OrthancServer) -> PhantomSeries:
    series = make_series(shape=(6, 20, 24), orientation="oblique", modality="MR")
    store_series(orthanc, series)
    return series


class Stored(Protocol):
    """What is known of a series of any kind."""

    @property
    def study_uid(self) -> str: ...
    @property
    def series_uid(self) -> str: ...


def open_series(client: httpx.Client, series: Stored, volume: str | None = None) -> httpx.Response:
    body = {"study_instance_uid": series.study_uid, "series_instance_uid": series.series_uid}
    if volume is not None:
        body["volume"] = volume
    return client.post("/delineate/sessions", params={"wait": "true"}, json=body)


def assert_opens(client: httpx.Client, series: PhantomSeries, volume: str | None = None) -> None:
    """The session has the series' grid and slices; then close it."""
    reply = open_series(client, series, volume)
    assert reply.status_code == 201, reply.text
    session = reply.json()
    assert session["state"] == "ready"
    assert tuple(session["geometry"]["shape"]) == series.voxels.shape
    assert np.allclose(session["geometry"]["affine"], series.affine, atol=1e-6)
    assert session["geometry"]["frame_of_reference_uid"] == series.frame_of_reference_uid
    slices = tuple((image["sop_instance_uid"], image["frame_number"]) for image in session["slices"])
    assert slices == series.slices
    assert client.delete(f"/delineate/sessions/{session['id']}").is_success


def assert_problem(reply: httpx.Response, hostile: HostileSeries) -> None:
    assert 400 <= reply.status_code < 500, reply.text
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem = reply.json()
    assert problem["type"] == problem_type(hostile.leaf.__name__), problem["detail"]
    assert problem["status"] == reply.status_code
    for text in hostile.mentions:
        assert text in problem["detail"]
    for name, expected in hostile.members.items():
        if name == "positions":
            assert np.allclose(np.array(problem[name]), np.array(expected), atol=1e-3)
        else:
            assert sorted(problem[name]) == sorted(expected)


@pytest.mark.parametrize("name", HOSTILE)
def test_fault_is_named_and_the_service_goes_on(
    orthanc: OrthancServer, client: httpx.Client, good: PhantomSeries, name: str
) -> None:
    hostile = HOSTILE[name]()
    store_series(orthanc, hostile)
    assert_problem(open_series(client, hostile), hostile)
    assert_opens(client, good)


@pytest.mark.parametrize(("kind", "multiframe"), KINDS)
def test_volumes_are_listed_and_each_opens(
    orthanc: OrthancServer, client: httpx.Client, kind: str, *, multiframe: bool
) -> None:
    series = make_kind(kind, multiframe=multiframe)
    store_series(orthanc, series)
    reply = open_series(client, series)
    assert reply.status_code == 422
    problem = reply.json()
    assert problem["type"] == problem_type("VolumeChoiceRequired")
    truth = {volume.slices: volume for volume in series.volumes}
    assert len(problem["volumes"]) == len(truth)
    for volume in problem["volumes"]:
        assert volume["id"] in problem["detail"]
        opened = open_series(client, series, volume["id"]).json()
        slices = tuple((image["sop_instance_uid"], image["frame_number"]) for image in opened["slices"])
        assert_opens(client, truth.pop(slices), volume["id"])
        client.delete(f"/delineate/sessions/{opened['id']}")
    assert truth == {}
    unknown = open_series(client, series, "echo-time-17")
    assert unknown.status_code == 422
    assert unknown.json()["type"] == problem_type("UnknownVolume")


def test_localizer_stays_apart_and_the_slices_open(orthanc: OrthancServer, client: httpx.Client) -> None:
    series = HOSTILE["localizer"]()
    store_series(orthanc, series)
    volumes = open_series(client, series).json()["volumes"]
    slices = next(volume["id"] for volume in volumes if volume["instances"] == 8)
    assert open_series(client, series, slices).status_code == 201


@pytest.mark.parametrize("multiframe", [False, True])
@pytest.mark.parametrize("orientation", ["axial", "sagittal", "coronal", "oblique"])
def test_regular_series_open(
    orthanc: OrthancServer, client: httpx.Client, orientation: str, *, multiframe: bool
) -> None:
    series = make_series(
        shape=(18, 20, 24),
        orientation=orientation,
        modality="PT",
        multiframe=multiframe,
        instances=9,
        transfer_syntax=tuple(TRANSFER_SYNTAXES.values()),
        shuffled=True,
        patient_name="Yamada^Tarou=山田^太郎=やまだ^たろう",
        character_set=["", "ISO 2022 IR 87"],
    )
    store_series(orthanc, series)
    assert_opens(client, series)


def test_series_that_is_not_there_is_404(client: httpx.Client, good: PhantomSeries) -> None:
    for study, number in ((generate_uid(), good.series_uid), (good.study_uid, generate_uid())):
        body = {"study_instance_uid": study, "series_instance_uid": number}
        reply = client.post("/delineate/sessions", params={"wait": "true"}, json=body)
        assert reply.status_code == 404
        assert reply.json()["type"] == problem_type("SeriesNotFound")


def test_no_problem_tells_who_the_patient_is(orthanc: OrthancServer, client: httpx.Client) -> None:
    hostile = HOSTILE["missing-slice"]()
    for dataset in hostile.datasets:
        dataset.PatientName, dataset.PatientID = "Secret^Sally", "ID-4711"
    store_series(orthanc, hostile)
    assert not re.search("Secret|Sally|4711", open_series(client, hostile).text)
