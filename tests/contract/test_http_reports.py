"""The documents that an accept stores with the SEG: what Orthanc holds afterwards, and when not all goes well."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from tests.archive_tools import instances_of, store_instances, store_series
from tests.conftest import tiny_service_in
from tests.contract.test_http_accept import state_of
from tests.phantoms import PhantomSeries, make_series
from tests.readers.acceptances import blob
from tests.readers.foreign_segs import as_bytes as foreign_bytes
from tests.readers.foreign_segs import foreign_seg
from tests.readers.reports import groups_of, name_of, numbers_by_segment
from tests.readers.tools import dcentvfy_errors, dciodvfy_errors
from tests.service import ServiceProcess
from tests.tampering import Reply, Tampering, tampering_proxy

from delineate.client import ClientSession
from delineate.demo.orthanc import OrthancServer
from delineate.domain.result import document_of

SHAPE = (14, 30, 36)
ANATOMY = {"value": "91723000", "scheme": "SCT", "meaning": "Anatomical Structure"}
KIDNEY = {"value": "64033007", "scheme": "SCT", "meaning": "Kidney"}
LEFT = {"value": "7771000", "scheme": "SCT", "meaning": "Left"}


@pytest.fixture
def archive(orthanc: OrthancServer) -> Iterator[Tampering]:
    with tampering_proxy(orthanc.dicomweb_url) as rules:
        yield rules


@pytest.fixture
def process(archive: Tampering, orthanc: OrthancServer, tiny_model: Path, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A service whose archive can be made to misbehave."""
    process = tiny_service_in(tmp_path, orthanc, tiny_model)
    process.archive_url = archive.url
    process.start()
    yield process
    process.stop()


@pytest.fixture
def series(orthanc: OrthancServer) -> PhantomSeries:
    series = make_series(shape=SHAPE, orientation="oblique", shuffled=True)
    store_series(orthanc, series)
    return series


def drawn(session: ClientSession) -> ClientSession:
    """Give the session two named segments: one drawn by hand, one by a point."""
    for number, centre in enumerate(((0.4, 0.5, 0.5), (0.6, 0.4, 0.5)), 1):
        session.add_segment(label=f"Niere {number}", category=ANATOMY, type=KIDNEY, laterality=LEFT)
        session.set_labelmap(number, blob(SHAPE, centre, 0.3))
    affine = session.info["geometry"]["affine"]
    middle = [sum(row[a] * n / 2 for a, n in enumerate(SHAPE)) + row[3] for row in affine[:3]]
    session.prompt(2, "point", [middle])
    return session


def documents(orthanc: OrthancServer, series: PhantomSeries) -> dict[str, Dataset]:
    """Return the SR documents that the archive holds of the study, by SOP Instance UID."""
    found = [pydicom.dcmread(io.BytesIO(data)) for data in instances_of(orthanc, series.study_uid, "SR")]
    return {str(document.SOPInstanceUID): document for document in found}


def as_bytes(dataset: Dataset) -> bytes:
    with io.BytesIO() as file:
        dataset.save_as(file)
        return file.getvalue()


def test_the_report_says_what_the_service_and_the_table_say(
    process: ServiceProcess, orthanc: OrthancServer, series: PhantomSeries
) -> None:
    with process.connect() as client:
        session = drawn(client.open_session(series.study_uid, series.series_uid))
        measured = session.measurements()
        headers = {"Accept": "text/csv"}
        table = process.client.get(f"/delineate{session.path}/measurements", headers=headers).content.decode()
        result = client.wait_for_result(session.accept()["id"])
    stored = documents(orthanc, series)
    assert {d["kind"]: (d["state"], d["reason"]) for d in result["documents"]} == {
        "measurements": ("stored", None),
        "prompts": ("stored", None),
    }
    assert {d["sop_instance_uid"] for d in result["documents"]} == set(stored)
    report, prompts = (stored[d["sop_instance_uid"]] for d in result["documents"])
    (seg,) = instances_of(orthanc, series.study_uid, "SEG")
    for document in (report, prompts):
        assert dciodvfy_errors(as_bytes(document)) == []
        assert (document.VerificationFlag, document.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert dcentvfy_errors([as_bytes(report), as_bytes(prompts), seg, *series.part10()]) == []
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    for numbers, segment, row in zip(numbers_by_segment(report), measured["segments"], rows, strict=True):
        assert_same_numbers(numbers, segment["measurements"], row, measured["unit"]["value"])
    kinds = [
        [i.ConceptCodeSequence[0].CodeMeaning for i in g.ContentSequence if name_of(i).startswith("Kind")]
        for g in groups_of(prompts, "1501")
    ]
    assert kinds == [["Labelmap"], ["Labelmap"], ["Point"]]


def assert_same_numbers(
    found: dict[tuple[str, str], tuple[float, str]], measured: dict[str, Any], row: dict[str, str], unit: str
) -> None:
    """All that the service answers is in the report and in the table, and nothing else is in the report."""
    plane, values = measured["in_plane"], measured["values"]
    attenuation = "X-Ray Attenuation"
    in_plane = "diameter in plane [mm]"
    derived = {
        "5": "5th percentile",
        "25": "25th percentile",
        "50": "Median",
        "75": "75th percentile",
        "95": "95th percentile",
    }
    expected = {
        ("Volume", ""): (measured["volume_ml"], "cm3", "volume [mL]"),
        ("Volume of Mesh", ""): (measured["mesh_volume_ml"], "cm3", "mesh volume [mL]"),
        ("Surface Area of Mesh", ""): (measured["surface_mm2"], "mm2", "surface [mm2]"),
        ("Long Axis", ""): (plane["longest"]["length_mm"], "mm", f"longest {in_plane}"),
        ("Short Axis", ""): (plane["perpendicular"]["length_mm"], "mm", f"perpendicular {in_plane}"),
        ("Maximum 3D Diameter of a Mesh", ""): (measured["longest"]["length_mm"], "mm", "longest diameter [mm]"),
        (attenuation, "Mean"): (values["mean"], unit, f"mean [{unit}]"),
        (attenuation, "Standard Deviation"): (values["standard_deviation"], unit, f"standard deviation [{unit}]"),
        (attenuation, "Minimum"): (values["minimum"], unit, f"minimum [{unit}]"),
        (attenuation, "Maximum"): (values["maximum"], unit, f"maximum [{unit}]"),
        **{
            (attenuation, name): (values["percentiles"][rank], unit, f"percentile {rank} [{unit}]")
            for rank, name in derived.items()
        },
    }
    assert found == {name: (value, code) for name, (value, code, _) in expected.items()}
    assert {column: float(row[column]) for _, _, column in expected.values()} == {
        column: value for value, _, column in expected.values()
    }
    assert int(row["voxels"]) == measured["voxel_count"]
    assert [float(row[f"centroid {axis} [mm LPS]"]) for axis in "xyz"] == measured["centroid"]


def test_the_next_version_s_report_names_the_one_before(
    process: ServiceProcess, orthanc: OrthancServer, series: PhantomSeries
) -> None:
    with process.connect() as client:
        first = client.wait_for_result(drawn(client.open_session(series.study_uid, series.series_uid)).accept()["id"])
        again = client.open_session(
            series.study_uid, series.series_uid, segmentation_sop_instance_uid=first["sop_instance_uid"]
        )
        again.set_labelmap(1, blob(SHAPE, (0.5, 0.5, 0.5), 0.3))
        second = client.wait_for_result(again.accept()["id"])
    assert second["predecessor_sop_instance_uid"] == first["sop_instance_uid"]
    stored = documents(orthanc, series)
    for before, after in zip(first["documents"], second["documents"], strict=True):
        (study,) = stored[after["sop_instance_uid"]].PredecessorDocumentsSequence
        (reference,) = study.ReferencedSeriesSequence[0].ReferencedSOPSequence
        assert reference.ReferencedSOPInstanceUID == before["sop_instance_uid"]
        assert after["sop_instance_uid"] == document_of(second["sop_instance_uid"], after["kind"]).sop_instance_uid
    assert len(stored) == 4
    assert all(dciodvfy_errors(as_bytes(document)) == [] for document in stored.values())


def test_who_worked_on_a_segment_is_named_through_all_versions(
    process: ServiceProcess, orthanc: OrthancServer, series: PhantomSeries
) -> None:
    """Of one by somebody else, the first segment is changed in the second version, the second one in the third."""

    def by_jane(seg: Dataset) -> None:
        seg.ContentCreatorName = "Doe^Jane=土^井"

    masks = [blob(SHAPE, (0.5, 0.3 + 0.2 * n, 0.5), 0.15) for n in range(3)]
    foreign = foreign_seg(series, masks, change=by_jane)
    store_instances(orthanc, [foreign_bytes(foreign)])
    expected = [["Doe^Jane", "Local^User"], ["Doe^Jane"], ["Doe^Jane"]]
    uid = foreign.SOPInstanceUID
    with process.connect() as client:
        for number in (1, 2):
            session = client.open_session(series.study_uid, series.series_uid, segmentation_sop_instance_uid=uid)
            session.set_labelmap(number, ~masks[number - 1])
            result = client.wait_for_result(session.accept()["id"])
            expected[number - 1] = ["Doe^Jane", "Local^User"]
            uid = result["sop_instance_uid"]
            report = documents(orthanc, series)[document_of(uid, "measurements").sop_instance_uid]
            assert dciodvfy_errors(as_bytes(report)) == []
            assert [people(report, str(n)) for n in (1, 2, 3)] == expected
            assert people(report, None) == ["Local^User"]


def test_who_worked_on_a_segment_is_named_after_one_was_deleted_and_it_was_accepted_twice(
    process: ServiceProcess, orthanc: OrthancServer, series: PhantomSeries
) -> None:
    """The second version has other Segment Numbers than the first, and is the third one's predecessor."""

    def by_jane(seg: Dataset) -> None:
        seg.ContentCreatorName = "Doe^Jane"

    masks = [blob(SHAPE, (0.5, 0.3 + 0.2 * n, 0.5), 0.15) for n in range(3)]
    foreign = foreign_seg(series, masks, change=by_jane)
    store_instances(orthanc, [foreign_bytes(foreign)])
    with process.connect() as client:
        session = client.open_session(
            series.study_uid, series.series_uid, segmentation_sop_instance_uid=foreign.SOPInstanceUID
        )
        session.delete_segment(1)
        session.set_labelmap(3, ~masks[2])
        for _ in range(2):
            uid = client.wait_for_result(session.accept()["id"])["sop_instance_uid"]
            report = documents(orthanc, series)[document_of(uid, "measurements").sop_instance_uid]
            assert [people(report, n) for n in ("1", "2")] == [["Doe^Jane"], ["Doe^Jane", "Local^User"]]


def people(report: Dataset, segment: str | None) -> list[str]:
    """Return the observers of a segment's volumetric group, or of the document as a whole."""
    item = report
    if segment is not None:
        (item,) = (g for g in groups_of(report, "1411") if str(referenced_segment(g)) == segment)
    return [str(i.PersonName) for i in item.ContentSequence if i.ValueType == "PNAME"]


def referenced_segment(group: Dataset) -> int:
    (reference,) = (i.ReferencedSOPSequence[0] for i in group.ContentSequence if "ReferencedSOPSequence" in i)
    return int(reference.get("ReferencedSegmentNumber", 0))


def refuse_reports(archive: Tampering) -> Callable[[], None]:
    """Have the archive refuse what comes after the first store, for good; return how to end that."""
    refused = {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0x0122]}}]}}
    reply = (409, {"content-type": "application/dicom+json"}, json.dumps(refused).encode())
    archive.answer = lambda method, _: reply if method == "POST" and archive.stores else None

    def end() -> None:
        archive.answer = lambda *_: None

    return end


def test_an_archive_that_takes_no_reports_has_the_segmentation(
    process: ServiceProcess, archive: Tampering, orthanc: OrthancServer, series: PhantomSeries
) -> None:
    take_them = refuse_reports(archive)
    with process.connect() as client:
        result = client.wait_for_result(drawn(client.open_session(series.study_uid, series.series_uid)).accept()["id"])
        assert [(d["state"], d["problem"]) for d in result["documents"]] == [("failed", "StoreRefused")] * 2
        assert "0122" in result["documents"][0]["reason"]
        assert len(instances_of(orthanc, series.study_uid, "SEG")) == 1
        assert documents(orthanc, series) == {}
        take_them()
        client.call("POST", f"/results/{result['id']}/retry")
        again = client.wait_for_result(result["id"])
    assert [d["state"] for d in again["documents"]] == ["stored", "stored"]
    assert len(documents(orthanc, series)) == 2
    assert len(instances_of(orthanc, series.study_uid, "SEG")) == 1


def test_measuring_that_fails_is_said_and_loses_nothing(
    process: ServiceProcess, archive: Tampering, orthanc: OrthancServer, series: PhantomSeries
) -> None:
    """The images are gone when it comes to measuring."""
    gone: Reply = (404, {}, b"")
    with process.connect() as client:
        session = drawn(client.open_session(series.study_uid, series.series_uid))
        archive.answer = lambda _, path: gone if archive.stores and series.series_uid in path else None
        result = client.wait_for_result(session.accept()["id"])
    found = {d["kind"]: (d["state"], d["problem"]) for d in result["documents"]}
    assert found == {"measurements": ("failed", "SeriesChanged"), "prompts": ("stored", None)}
    assert len(instances_of(orthanc, series.study_uid, "SEG")) == 1


@pytest.mark.parametrize("stores", [1, 2])
def test_kill_9_between_the_documents_stores_each_once(
    process: ServiceProcess, archive: Tampering, orthanc: OrthancServer, series: PhantomSeries, stores: int
) -> None:
    away: Reply = (503, {}, b"")
    archive.answer = lambda method, path: (
        away if archive.stores >= stores and "/instances" in path and method == "GET" else None
    )
    with process.connect() as client:
        result = drawn(client.open_session(series.study_uid, series.series_uid)).accept()["id"]
        state_of(client, result, "waiting", timeout_s=120)
        process.kill()
        archive.answer = lambda *_: None
        process.start()
    with process.connect() as client:
        state_of(client, result, "stored", timeout_s=120)
    assert archive.stores == 3
    assert len(documents(orthanc, series)) == 2
    assert len(instances_of(orthanc, series.study_uid, "SEG")) == 1


def test_how_the_segments_came_to_be_is_kept(process: ServiceProcess, series: PhantomSeries) -> None:
    with process.connect() as client:
        session = drawn(client.open_session(series.study_uid, series.series_uid))
        result = client.wait_for_result(session.accept()["id"])
        recording = client.call("GET", f"/results/{result['id']}/recording")
    assert recording["format"] == "delineate-recording-1"
    assert recording["segmentation_sop_instance_uid"] == result["sop_instance_uid"]
    assert recording["model"]["weights_sha256"]
    assert set(recording["software"]) == {"delineate", "python", "nninteractive", "torch", "numpy"}
    steps = [entry for entry in recording["entries"] if entry["kind"] == "step"]
    assert [step["data"]["step"] for step in steps] == ["labelmap", "labelmap", "prompts"]
    assert all(len(step["sha256"]) == 64 for step in steps)
