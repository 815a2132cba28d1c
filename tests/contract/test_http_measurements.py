"""Measurements over HTTP against a real Orthanc: numbers, units, and what the archive keeps of private data."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from tests.archive_tools import store_series
from tests.pet import FACTOR, make_pet, put_ge_scan_time, put_philips_factors
from tests.phantoms import PhantomSeries, copies, make_series
from tests.service import ServiceProcess

from delineate.adapters.dicom_series import DicomSeriesReader
from delineate.adapters.dicom_series.value_units import DicomScaleReader
from delineate.adapters.dicomweb import DicomWebArchive
from delineate.adapters.marching_cubes import MarchingCubes
from delineate.client import ClientSession
from delineate.demo.orthanc import OrthancServer
from delineate.domain.labelmap import Labelmap
from delineate.domain.measurements import measure
from delineate.domain.surface import CellSurfaces

SHAPE = (14, 30, 36)


def ellipsoid(shape: tuple[int, int, int]) -> Labelmap:
    k, j, i = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return Labelmap.from_array(((k - 6) / 5) ** 2 + ((j - 15) / 10) ** 2 + ((i - 17) / 12) ** 2 <= 1)


@pytest.fixture(scope="module", params=["CT", "PT"])
def series(request: pytest.FixtureRequest, orthanc: OrthancServer) -> PhantomSeries:
    make = make_pet if request.param == "PT" else make_series
    series = make(shape=SHAPE, orientation="oblique", reversed_numbering=True)
    store_series(orthanc, series)
    return series


@pytest.fixture
def session(tiny_service: ServiceProcess, series: PhantomSeries) -> Iterator[ClientSession]:
    with tiny_service.connect() as client:
        session = client.open_session(series.study_uid, series.series_uid)
        yield session
        session.close()


def test_measurements_are_those_of_the_voxels(session: ClientSession, series: PhantomSeries) -> None:
    number = session.add_segment(label="Lesion")["number"]
    empty = session.add_segment()["number"]
    labelmap = ellipsoid(SHAPE)
    session.set_labelmap(number, labelmap.to_array())
    reply = session.measurements()
    reader = DicomSeriesReader()
    plan = reader.plan(series.headers(), None)
    files = dict(zip((dataset.SOPInstanceUID for dataset in series.datasets), series.part10(), strict=True))
    scale = DicomScaleReader().scale(plan, series.headers(), files.__getitem__)
    expected = measure(labelmap, reader.read(plan, series.part10()), CellSurfaces.of(MarchingCubes()), scale)
    assert [segment["number"] for segment in reply["segments"]] == [number, empty]
    assert reply["segments"][1]["measurements"] is None
    found = reply["segments"][0]["measurements"]
    assert reply["unit"]["value"] == ("{SUVbw}g/ml" if series.spec.modality == "PT" else "[hnsf'U]")
    assert reply["value_note"] is None
    for name in ("voxel_count", "volume_ml", "mesh_volume_ml", "surface_mm2"):
        assert found[name] == pytest.approx(getattr(expected, name), rel=1e-6)
    assert found["longest"]["length_mm"] == pytest.approx(expected.longest.length_mm, rel=1e-6)
    assert found["in_plane"]["longest"]["length_mm"] == pytest.approx(expected.in_plane.longest.length_mm, rel=1e-6)
    assert found["in_plane"]["sop_instance_uid"] == series.slices[expected.in_plane.k][0]
    assert np.allclose(found["centroid"], expected.centroid.as_tuple(), atol=1e-4)
    assert found["values"]["mean"] == pytest.approx(expected.values.mean, rel=1e-6)
    assert found["values"]["percentiles"]["50"] == pytest.approx(expected.values.median, rel=1e-6)


def test_the_table_has_the_same_numbers(tiny_service: ServiceProcess, session: ClientSession) -> None:
    http = tiny_service.client
    number = session.add_segment(label="Läsion")["number"]
    session.set_labelmap(number, ellipsoid(SHAPE).to_array())
    reply = session.measurements()
    table = http.get(f"/delineate/sessions/{session.id}/measurements", headers={"Accept": "text/csv"})
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(table.content.decode("utf-8"), newline=""))
    found = reply["segments"][0]["measurements"]
    assert row["label"] == "Läsion"
    assert float(row["volume [mL]"]) == found["volume_ml"]
    assert float(row["longest diameter [mm]"]) == found["longest"]["length_mm"]
    assert float(row[f"mean [{reply['unit']['value']}]"]) == found["values"]["mean"]


def test_the_volume_is_the_one_that_the_segment_says(tiny_service: ServiceProcess, session: ClientSession) -> None:
    http = tiny_service.client
    number = session.add_segment()["number"]
    session.set_labelmap(number, ellipsoid(SHAPE).to_array())
    (segment,) = http.get(f"/delineate/sessions/{session.id}").json()["segments"]
    (measured,) = session.measurements()["segments"]
    assert measured["measurements"]["volume_ml"] == pytest.approx(segment["volume_ml"], rel=1e-8)
    assert measured["revision"] == segment["revision"]


def test_another_s_or_no_session_has_no_measurements(tiny_service: ServiceProcess) -> None:
    reply = tiny_service.client.get("/delineate/sessions/1.2~0/measurements")
    assert reply.status_code == 404
    assert reply.json()["type"] == "urn:delineate:problem:session-not-found"


def test_a_closed_session_has_none(tiny_service: ServiceProcess, session: ClientSession) -> None:
    session.close()
    reply = tiny_service.client.get(f"/delineate/sessions/{session.id}/measurements")
    assert reply.status_code == 410


@pytest.mark.parametrize("kind", ["philips", "ge"])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
def test_vendors_private_attributes_come_through_the_archive(orthanc: OrthancServer, kind: str, syntax: str) -> None:
    """Also of implicit VR, where the archive has to know an element to tell its VR."""
    series = make_pet(shape=(3, 8, 8), transfer_syntax=syntax)
    datasets = copies(series)
    for dataset in datasets:
        if kind == "philips":
            put_philips_factors(dataset, "0.000551", None)
        else:
            put_ge_scan_time(dataset)
    store_series(orthanc, replace(series, datasets=tuple(datasets)))
    archive = DicomWebArchive(orthanc.dicomweb_url, orthanc.username, orthanc.password)
    headers = archive.headers(series.study_uid, series.series_uid)
    plan = DicomSeriesReader().plan(headers, None)
    scale = DicomScaleReader().scale(
        plan, headers, lambda uid: archive.instance(series.study_uid, series.series_uid, uid)
    )
    assert scale.note is None
    assert scale.factor == pytest.approx(0.000551 if kind == "philips" else FACTOR)
