"""Stored segmentations opened through HTTP, refined, and stored as the next version; against a real Orthanc."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid
from tests.archive_tools import store_instances, store_series
from tests.conftest import tiny_service_in
from tests.phantoms import PhantomSeries, make_series
from tests.readers import ohif
from tests.readers.acceptances import Mask
from tests.readers.by_position import position_masks
from tests.readers.cases import everywhere, overlapping, two
from tests.readers.foreign_segs import as_bytes, foreign_seg
from tests.readers.tools import dciodvfy_errors, dcmqi_masks

from delineate.client import Client, ClientSession, ServiceError
from delineate.demo.orthanc import OrthancServer

SHAPE = (12, 20, 24)
ANATOMY = {"value": "91723000", "scheme": "SCT", "meaning": "Anatomical Structure"}
KIDNEY = {"value": "64033007", "scheme": "SCT", "meaning": "Kidney"}
RIGHT = {"value": "24028007", "scheme": "SCT", "meaning": "Right"}
LEFT = {"value": "7771000", "scheme": "SCT", "meaning": "Left"}
DESCRIBED = ("label", "category", "type", "region", "laterality", "colour", "tracking_id", "tracking_uid")


@pytest.fixture(scope="module")
def series(orthanc: OrthancServer) -> PhantomSeries:
    series = make_series(shape=SHAPE, orientation="oblique", shuffled=True)
    store_series(orthanc, series)
    return series


def reopened(client: Client, series: PhantomSeries, sop_instance_uid: str) -> ClientSession:
    return client.open_session(series.study_uid, series.series_uid, segmentation_sop_instance_uid=sop_instance_uid)


def voxels(session: ClientSession, number: int) -> Mask:
    return session.labelmap(number)[0].to_array()


def stored_instance(orthanc: OrthancServer, uid: str) -> bytes:
    with httpx.Client(base_url=orthanc.rest_url, auth=(orthanc.username, orthanc.password)) as client:
        (found,) = client.post("/tools/lookup", content=uid).raise_for_status().json()
        return client.get(f"/instances/{found['ID']}/file").raise_for_status().content


def store_foreign(orthanc: OrthancServer, series: PhantomSeries, *args: Any, **options: Any) -> Dataset:
    seg = foreign_seg(series, *args, **options)
    store_instances(orthanc, [as_bytes(seg)])
    return seg


def item(seg: Dataset, number: int) -> Dataset:
    (found,) = (item for item in seg.SegmentSequence if item.SegmentNumber == number)
    assert isinstance(found, Dataset)
    return found


def attributes(item: Dataset) -> dict[str, Any]:
    """Return all attributes but the tracking identifiers, which a version has even if its predecessor lacked them."""
    as_json: dict[str, Any] = item.to_json_dict()
    return {tag: element for tag, element in as_json.items() if tag not in ("00620020", "00620021")}


def accepted(client: Client, session: ClientSession, orthanc: OrthancServer, **options: Any) -> Dataset:
    result = client.wait_for_result(session.accept(**options)["id"])
    return pydicom.dcmread(io.BytesIO(stored_instance(orthanc, result["sop_instance_uid"])))


def first_version(client: Client, series: PhantomSeries, orthanc: OrthancServer) -> tuple[ClientSession, Dataset]:
    """Store two segments that overlap, and return the session that made them, and the SEG."""
    session = client.open_session(series.study_uid, series.series_uid)
    for number, (mask, laterality) in enumerate(zip(overlapping(SHAPE)[:2], (RIGHT, LEFT), strict=True), 1):
        session.add_segment(
            label=f"Niere {number}", category=ANATOMY, type=KIDNEY, laterality=laterality, colour=[10 * number, 200, 30]
        )
        session.set_labelmap(number, mask)
    return session, accepted(client, session, orthanc)


def assert_other_readers_agree(seg: bytes, series: PhantomSeries, masks: list[Mask], folder: Path) -> None:
    """Assert that a second series among the references disturbs nobody."""
    found = [dcmqi_masks(seg, series)]
    if ohif.can_read():
        (reading,) = ohif.read_segs([(seg, series, series.datasets)], folder)
        assert reading.whole.error is None
        found.append(reading.whole.masks)
    for read in found:
        assert sorted(read) == list(range(1, len(masks) + 1))
        assert all(np.array_equal(read[number], mask) for number, mask in enumerate(masks, 1))
    if shutil.which("dciodvfy"):
        assert dciodvfy_errors(seg) == []


def test_what_was_stored_is_there_again_and_becomes_the_next_version(
    client: Client, series: PhantomSeries, orthanc: OrthancServer, tmp_path: Path
) -> None:
    first, seg = first_version(client, series, orthanc)
    masks = overlapping(SHAPE)[:2]
    assert (masks[0] & masks[1]).any()
    session = reopened(client, series, seg.SOPInstanceUID)
    assert session.info["opened_from"] == {
        "series_instance_uid": seg.SeriesInstanceUID,
        "sop_instance_uid": seg.SOPInstanceUID,
        "read_only": None,
    }
    before = first.refresh()["segments"]
    after = session.info["segments"]
    assert [{name: s[name] for name in DESCRIBED} for s in after] == [
        {name: s[name] for name in DESCRIBED} for s in before
    ]
    assert [s["volume_ml"] for s in after] == [s["volume_ml"] for s in before]
    assert not any(s["can_undo"] for s in after)
    for number, mask in enumerate(masks, 1):
        assert np.array_equal(voxels(session, number), mask)

    centre = np.argwhere(~masks[0])[-1]
    affine = np.array(session.info["geometry"]["affine"])
    patch = session.prompt(1, "point", [(affine @ (*centre, 1))[:3]])
    assert patch["base_revision"] == 1
    refined = voxels(session, 1)
    assert not np.array_equal(refined, masks[0])
    session.undo(1)
    assert np.array_equal(voxels(session, 1), masks[0])
    with pytest.raises(ServiceError, match="no step to undo"):
        session.undo(1)
    session.redo(1)

    second = accepted(client, session, orthanc)
    read = position_masks(as_bytes(second), series)
    assert np.array_equal(read[1], refined)
    assert np.array_equal(read[2], masks[1])
    (reference,) = second.ReferencedInstanceSequence
    assert reference.ReferencedSOPInstanceUID == seg.SOPInstanceUID
    assert reference.PurposeOfReferenceCodeSequence[0].CodeMeaning == "Edited Model"
    assert [s.SeriesInstanceUID for s in second.ReferencedSeriesSequence] == [series.series_uid, seg.SeriesInstanceUID]
    assert [s.TrackingUID for s in second.SegmentSequence] == [s.TrackingUID for s in seg.SegmentSequence]
    assert (item(second, 1).SegmentAlgorithmType, item(second, 2).SegmentAlgorithmType) == ("SEMIAUTOMATIC", "MANUAL")
    assert attributes(item(second, 2)) == attributes(item(seg, 2))
    assert_other_readers_agree(as_bytes(second), series, [refined, masks[1]], tmp_path)
    assert reopened(client, series, second.SOPInstanceUID).info["opened_from"]["read_only"] is None


def test_another_side_is_another_finding(client: Client, series: PhantomSeries, orthanc: OrthancServer) -> None:
    _, seg = first_version(client, series, orthanc)
    session = reopened(client, series, seg.SOPInstanceUID)
    session.change_segment(1, label="Renamed")
    session.change_segment(2, laterality=RIGHT)
    second = accepted(client, session, orthanc)
    assert item(second, 1).TrackingUID == item(seg, 1).TrackingUID
    assert item(second, 2).TrackingUID != item(seg, 2).TrackingUID
    assert item(second, 1).SegmentLabel == "Renamed"


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_one_of_three_segments_of_another_maker_is_changed_and_the_others_stay(
    client: Client, series: PhantomSeries, orthanc: OrthancServer, kind: str
) -> None:
    third = np.zeros(SHAPE, dtype=np.bool_)
    third[2:5, 15:, :4] = True
    masks = [*two(SHAPE), third & ~np.any(two(SHAPE), axis=0)]
    seg = store_foreign(orthanc, series, masks, kind)
    session = reopened(client, series, seg.SOPInstanceUID)
    assert [s["label"] for s in session.info["segments"]] == [f"Acme finding {n}" for n in (1, 2, 3)]
    for number, mask in enumerate(masks, 1):
        assert np.array_equal(voxels(session, number), mask)
    changed = masks[1].copy()
    changed[np.unravel_index(np.argmax(changed), SHAPE)] = False
    session.set_labelmap(2, changed)
    second = accepted(client, session, orthanc, encoding=kind)
    (reference,) = second.ReferencedInstanceSequence
    assert reference.ReferencedSOPInstanceUID == seg.SOPInstanceUID
    assert reference.ReferencedSOPClassUID == seg.SOPClassUID
    assert reference.PurposeOfReferenceCodeSequence[0].CodeValue == "129010"
    read = position_masks(as_bytes(second), series)
    for number, mask in enumerate([masks[0], changed, masks[2]], 1):
        assert np.array_equal(read[number], mask)
    for number in (1, 3):
        assert attributes(item(second, number)) == attributes(item(seg, number))
    assert (item(second, 2).SegmentAlgorithmType, item(second, 2).SegmentAlgorithmName) == ("SEMIAUTOMATIC", "Total")
    assert item(second, 2).TrackingUID == item(seg, 2).TrackingUID


def unchanged(_seg: Dataset) -> None: ...


def other_frame_of_reference(seg: Dataset) -> None:
    seg.FrameOfReferenceUID = generate_uid()


@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [("FRACTIONAL", unchanged, "FRACTIONAL"), ("BINARY", other_frame_of_reference, "another frame of reference")],
)
def test_one_that_cannot_be_refined_opens_read_only(
    client: Client,
    series: PhantomSeries,
    orthanc: OrthancServer,
    kind: str,
    change: Callable[[Dataset], None],
    reason: str,
) -> None:
    seg = store_foreign(orthanc, series, two(SHAPE), kind, change=change)
    session = reopened(client, series, seg.SOPInstanceUID)
    assert session.info["state"] == "ready"
    assert reason in session.info["opened_from"]["read_only"]
    assert [s["label"] for s in session.info["segments"]] == ["Acme finding 1", "Acme finding 2"]
    point = np.array(session.info["geometry"]["affine"])[:3, 3]
    attempts: tuple[Callable[[], object], ...] = (
        partial(session.prompt, 1, "point", [point]),
        session.accept,
        partial(session.reset, 1),
        partial(session.add_segment, label="x"),
        partial(session.change_segment, 1, label="x"),
    )
    for attempt in attempts:
        with pytest.raises(ServiceError) as refused:
            attempt()
        assert refused.value.problem["type"] == "urn:delineate:problem:session-read-only"
        assert refused.value.problem["status"] == 409
        assert reason in refused.value.problem["detail"]
    session.close()


def short_pixels(seg: Dataset) -> None:
    seg.PixelData = seg.PixelData[:100]


def of_other_series(seg: Dataset) -> None:
    seg.ReferencedSeriesSequence[0].SeriesInstanceUID = generate_uid()


def test_what_is_no_segmentation_of_the_series_is_refused_with_the_reason(
    client: Client, series: PhantomSeries, orthanc: OrthancServer
) -> None:
    damaged = store_foreign(orthanc, series, two(SHAPE), change=short_pixels)
    other = store_foreign(orthanc, series, two(SHAPE), change=of_other_series)
    expected = {
        generate_uid(): ("segmentation-not-found", 404),
        series.sop_uids[0]: ("not-a-segmentation", 422),
        damaged.SOPInstanceUID: ("segmentation-unreadable", 422),
        other.SOPInstanceUID: ("segmentation-of-other-series", 422),
        "1.2.3'; drop": ("request-malformed", 422),
        "9" * 65: ("request-malformed", 422),
    }
    for uid, (name, status) in expected.items():
        with pytest.raises(ServiceError) as refused:
            reopened(client, series, uid)
        problem = refused.value.problem
        assert (problem["type"], problem["status"]) == (f"urn:delineate:problem:{name}", status)
        assert problem["detail"]
    assert all(listed["state"] == "ready" for listed in client.sessions(series.study_uid)), "none of them stays open"


def test_a_segmentation_of_another_series_of_the_study_is_refused(
    client: Client, series: PhantomSeries, orthanc: OrthancServer
) -> None:
    sibling = make_series(
        shape=SHAPE,
        study_uid=series.study_uid,
        frame_of_reference_uid=series.frame_of_reference_uid,
        orientation="oblique",
    )
    store_series(orthanc, sibling)
    seg = store_foreign(orthanc, sibling, two(SHAPE))
    with pytest.raises(ServiceError, match="Open it with the series that it was made on"):
        reopened(client, series, seg.SOPInstanceUID)


def test_kill_9_after_opening_loses_nothing(
    orthanc: OrthancServer, tiny_model: Path, tmp_path: Path, series: PhantomSeries
) -> None:
    masks = everywhere(SHAPE)
    seg = store_foreign(orthanc, series, masks)
    process = tiny_service_in(tmp_path, orthanc, tiny_model)
    process.start()
    try:
        with process.connect() as client:
            session = reopened(client, series, seg.SOPInstanceUID)
            changed = ~masks[0]
            session.set_labelmap(1, changed)
            before = session.refresh()
        process.kill()
        process.start()
        with process.connect() as client:
            again = client.session(session.id)
            same = ("opened_from", "segments", "geometry")
            assert {name: again.info[name] for name in same} == {name: before[name] for name in same}
            assert np.array_equal(voxels(again, 1), changed)
            again.undo(1)
            for number, mask in enumerate(masks, 1):
                assert np.array_equal(voxels(again, number), mask)
            second = accepted(client, again, orthanc)
            assert second.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == seg.SOPInstanceUID
            assert attributes(item(second, 1)) == attributes(item(seg, 1))
    finally:
        process.stop()


def test_the_terminology_answers_with_codes_that_a_segment_takes(client: Client, series: PhantomSeries) -> None:
    (kidney, *_) = client.terminology("renal", limit=3)
    assert set(kidney) == {"label", "category", "type", "lateralities", "takes_region", "colour"}
    assert kidney["type"] == KIDNEY
    assert [side["meaning"] for side in kidney["lateralities"]] == ["Right", "Left", "Right and left"]
    session = client.open_session(series.study_uid, series.series_uid)
    added = session.add_segment(
        label=kidney["label"], category=kidney["category"], type=kidney["type"], laterality=kidney["lateralities"][2]
    )
    assert added["laterality"]["meaning"] == "Right and left"
    (ventricle, *_) = client.terminology("left ventricle")
    assert ventricle["lateralities"] == []
    with pytest.raises(ServiceError, match="says which side it is on"):
        session.change_segment(1, type=ventricle["type"])
    session.close()


def test_a_finding_is_in_a_region_until_it_is_another(client: Client, series: PhantomSeries) -> None:
    (cyst, *_) = client.terminology("cyst", limit=1)
    (kidney, *_) = client.terminology("renal", limit=1, among="regions")
    assert (cyst["takes_region"], kidney["takes_region"], kidney["type"]) == (True, False, KIDNEY)
    assert client.terminology("cyst", among="regions") == []
    session = client.open_session(series.study_uid, series.series_uid)
    coded = {"category": cyst["category"], "type": cyst["type"]}
    first = session.add_segment(label="Cyst, left kidney", **coded, region=KIDNEY, laterality=LEFT)
    assert (first["region"], first["laterality"]) == (KIDNEY, LEFT)
    (ventricle, *_) = client.terminology("left ventricle", among="regions")
    with pytest.raises(ServiceError, match="Left ventricle says which side it is on"):
        session.change_segment(1, region=ventricle["type"])
    elsewhere = session.change_segment(1, region=ventricle["type"], laterality=None)
    assert elsewhere["tracking_uid"] != first["tracking_uid"]
    (mass, *_) = client.terminology("neoplasm", limit=1)
    other = session.change_segment(1, type=mass["type"])
    assert (other["region"], other["laterality"]) == (None, None)
    session.close()


def test_the_terminology_lists_common_types_and_refuses_what_is_no_query(client: Client) -> None:
    assert len(client.terminology()) == 20
    assert len(client.terminology("a", limit=200)) == 200
    assert client.terminology("\x00\n%ß𝔏") == client.terminology("ss l")
    for parameters in ({"limit": 0}, {"limit": 201}, {"limit": "x"}, {"q": "x" * 201}):
        with pytest.raises(ServiceError) as refused:
            client.call("GET", "/terminology", params=parameters)
        assert refused.value.problem["status"] == 422
