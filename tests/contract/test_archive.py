"""The archive adapter against a real Orthanc, and against servers that misbehave."""

from __future__ import annotations

import io
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid
from tests.archive_tools import store_instances, store_series
from tests.phantoms import COMPRESSED, TRANSFER_SYNTAXES, PhantomSeries, make_kind, make_series
from tests.readers.cases import two
from tests.readers.foreign_segs import as_bytes, foreign_seg, reference_of

from delineate.adapters.dicom_series import DicomSeriesReader
from delineate.adapters.dicomweb import DicomWebArchive
from delineate.demo.orthanc import OrthancServer, orthanc_server
from delineate.domain.errors import (
    ArchiveDenied,
    ArchiveUnreachable,
    SeriesIncomplete,
    SeriesNotFound,
    StoreRefused,
)
from delineate.domain.segmentation import InstanceReference

Calls = list[tuple[int, int, int]]


@pytest.fixture(scope="module")
def archive(orthanc: OrthancServer) -> DicomWebArchive:
    return DicomWebArchive(orthanc.dicomweb_url, orthanc.username, orthanc.password)


def ignore(_done: int, _all: int, _bytes: int) -> None: ...


def uids_of(parts: list[bytes]) -> list[str]:
    return [str(pydicom.dcmread(io.BytesIO(part)).SOPInstanceUID) for part in parts]


def test_check_passes(archive: DicomWebArchive) -> None:
    archive.check()


@pytest.mark.parametrize("multiframe", [False, True])
def test_every_transfer_syntax_in_one_series_arrives_whole_and_exact(
    orthanc: OrthancServer, archive: DicomWebArchive, *, multiframe: bool
) -> None:
    """FACTS section 2: with dicomweb-client's defaults 3 of 42 came."""
    series = make_series(
        shape=(42, 40, 48),
        modality="MR" if multiframe else "CT",
        multiframe=multiframe,
        instances=len(TRANSFER_SYNTAXES),
        transfer_syntax=tuple(TRANSFER_SYNTAXES.values()),
        shuffled=True,
        orientation="oblique",
    )
    store_series(orthanc, series)
    headers = archive.headers(series.study_uid, series.series_uid)
    assert len(headers) == len(series.datasets)
    reader = DicomSeriesReader()
    plan = reader.plan(headers, None)
    volume = reader.read(plan, archive.instances(series.study_uid, series.series_uid, plan.instances, ignore))
    assert np.array_equal(volume.voxels, series.voxels)
    assert np.allclose(plan.geometry.matrix, series.affine, atol=1e-6)
    assert tuple((s.sop_instance_uid, s.frame_number) for s in plan.slices) == series.slices


def test_instances_come_as_stored(orthanc: OrthancServer, archive: DicomWebArchive) -> None:
    series = make_series(transfer_syntax=COMPRESSED, shape=(10, 40, 48))
    store_series(orthanc, series)
    parts = list(archive.instances(series.study_uid, series.series_uid, series.sop_uids, ignore))
    sent = {str(dataset.SOPInstanceUID): dataset for dataset in series.datasets}
    received = [pydicom.dcmread(io.BytesIO(part)) for part in parts]
    assert {str(dataset.SOPInstanceUID) for dataset in received} == set(sent)
    for dataset in received:
        original = sent[str(dataset.SOPInstanceUID)]
        assert dataset.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
        assert dataset.PixelData == original.PixelData


def test_progress_is_a_real_fraction(orthanc: OrthancServer, archive: DicomWebArchive) -> None:
    series = make_series(shape=(7, 40, 48))
    store_series(orthanc, series)
    calls: Calls = []
    parts = list(
        archive.instances(series.study_uid, series.series_uid, series.sop_uids, lambda *call: calls.append(call))
    )
    assert [done for done, _, _ in calls] == sorted(done for done, _, _ in calls)
    assert {total for _, total, _ in calls} == {7}
    assert calls[-1][0] == 7
    assert calls[-1][2] >= sum(map(len, parts))


def test_an_instance_is_found_in_its_study_and_only_there(orthanc: OrthancServer, archive: DicomWebArchive) -> None:
    series, other = make_series(shape=(3, 10, 12)), make_series(shape=(3, 10, 12))
    store_series(orthanc, series, other)
    uid = series.sop_uids[1]
    found = archive.find_instance(series.study_uid, uid)
    assert found == InstanceReference(series.series_uid, uid, str(series.datasets[0].SOPClassUID))
    assert archive.find_instance(other.study_uid, uid) is None
    assert archive.find_instance(generate_uid(), uid) is None
    assert archive.find_instance(series.study_uid, generate_uid()) is None


def test_segmentations_of_a_study_are_found(orthanc: OrthancServer, archive: DicomWebArchive) -> None:
    series, other = make_series(shape=(6, 10, 12)), make_series(shape=(3, 10, 12))
    store_series(orthanc, series, other)
    assert archive.segmentations(series.study_uid) == []
    segs = [foreign_seg(series, two((6, 10, 12)), kind) for kind in ("BINARY", "LABELMAP")]
    store_instances(orthanc, [as_bytes(seg) for seg in segs])
    assert set(archive.segmentations(series.study_uid)) == {reference_of(seg) for seg in segs}
    assert archive.segmentations(other.study_uid) == []
    assert archive.segmentations(generate_uid()) == []


def test_some_instances_of_a_large_series_are_fetched_alone(orthanc: OrthancServer, archive: DicomWebArchive) -> None:
    several = make_kind("temporal-position", shape=(4, 20, 24))
    store_series(orthanc, several)
    wanted = several.volumes[1].sop_uids
    calls: Calls = []
    parts = list(archive.instances(several.study_uid, several.series_uid, wanted, lambda *call: calls.append(call)))
    assert set(uids_of(parts)) == set(wanted)
    assert calls[-1][2] < 1.5 * sum(map(len, parts))


def test_an_instance_that_the_archive_lacks_is_named(orthanc: OrthancServer, archive: DicomWebArchive) -> None:
    series = make_series(shape=(5, 10, 12))
    store_series(orthanc, series)
    absent = generate_uid()
    received: list[bytes] = []
    with pytest.raises(SeriesIncomplete) as caught:
        received.extend(archive.instances(series.study_uid, series.series_uid, (*series.sop_uids, absent), ignore))
    assert (caught.value.expected, caught.value.received, caught.value.missing) == (6, 5, (absent,))


def test_what_is_not_there_is_not_found(orthanc: OrthancServer, archive: DicomWebArchive) -> None:
    series = make_series(shape=(2, 10, 12))
    store_series(orthanc, series)
    other = generate_uid()
    for study, number in ((other, series.series_uid), (series.study_uid, other), ("1.2/../..", other)):
        with pytest.raises(SeriesNotFound):
            archive.headers(study, number)
        with pytest.raises(SeriesNotFound):
            archive.instance(study, number, series.sop_uids[0])
        with pytest.raises((SeriesNotFound, SeriesIncomplete)):
            list(archive.instances(study, number, series.sop_uids, ignore))
        if "/" not in study:
            assert not archive.has_instance(study, number, series.sop_uids[0])
    assert archive.has_instance(series.study_uid, series.series_uid, series.sop_uids[0])
    assert not archive.has_instance(series.study_uid, series.series_uid, other)


def test_wrong_password_is_denied_without_retries(orthanc: OrthancServer) -> None:
    series = make_series(shape=(2, 10, 12))
    archive = DicomWebArchive(orthanc.dicomweb_url, orthanc.username, "wrong", backoff_s=30.0)
    calls = (
        archive.check,
        lambda: archive.headers(series.study_uid, series.series_uid),
        lambda: list(archive.instances(series.study_uid, series.series_uid, series.sop_uids, ignore)),
        lambda: archive.has_instance(series.study_uid, series.series_uid, series.sop_uids[0]),
        lambda: archive.instance(series.study_uid, series.series_uid, series.sop_uids[0]),
        lambda: archive.store(series.part10()[0], series.study_uid),
    )
    begun = time.monotonic()
    for call in calls:
        with pytest.raises(ArchiveDenied) as caught:
            call()
        assert "wrong" not in str(caught.value)
    assert time.monotonic() - begun < 10


def test_stored_instance_comes_back(archive: DicomWebArchive) -> None:
    series = make_series(shape=(1, 600, 700))  # larger than dicomweb-client's chunks
    part = series.part10()[0]
    uid = series.sop_uids[0]
    assert not archive.has_instance(series.study_uid, series.series_uid, uid)
    receipt = archive.store(part, series.study_uid)
    assert receipt.warnings == ()
    assert receipt.retrieve_url is not None
    assert receipt.retrieve_url.endswith(uid)
    assert archive.has_instance(series.study_uid, series.series_uid, uid)
    back = pydicom.dcmread(io.BytesIO(archive.instance(series.study_uid, series.series_uid, uid)))
    assert back.PixelData == series.datasets[0].PixelData
    archive.store(part, series.study_uid)  # the same bytes again


def test_instance_of_another_study_is_refused(archive: DicomWebArchive) -> None:
    series = make_series(shape=(1, 10, 12))
    with pytest.raises(StoreRefused, match="0110"):
        archive.store(series.part10()[0], generate_uid())


def test_garbage_is_refused(archive: DicomWebArchive) -> None:
    with pytest.raises(StoreRefused):
        archive.store(b"no DICOM", generate_uid())


def test_patient_names_of_all_kinds_arrive(orthanc: OrthancServer, archive: DicomWebArchive) -> None:
    names = {
        "ISO_IR 192": "Müller^Zoë=山田^太郎",
        "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "ISO_IR 100": "Müller^Zoë",
    }
    for character_set, name in names.items():
        series = make_series(shape=(1, 4, 4), patient_name=name, character_set=character_set.split("\\"))
        store_series(orthanc, series)
        (header,) = archive.headers(series.study_uid, series.series_uid)
        assert "=".join(header["00100010"]["Value"][0].values()) == name


def test_several_threads_share_one_archive(orthanc: OrthancServer, archive: DicomWebArchive) -> None:
    series = [make_series(shape=(6, 20, 24), seed=n) for n in range(6)]
    store_series(orthanc, *series)
    failures: list[BaseException] = []

    def fetch(one: PhantomSeries) -> None:
        try:
            reader = DicomSeriesReader()
            plan = reader.plan(archive.headers(one.study_uid, one.series_uid), None)
            volume = reader.read(plan, archive.instances(one.study_uid, one.series_uid, plan.instances, ignore))
            assert np.array_equal(volume.voxels, one.voxels)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=fetch, args=(one,)) for one in series]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_large_series_takes_the_memory_of_one_instance(orthanc: OrthancServer, archive: DicomWebArchive) -> None:
    series = make_series(shape=(60, 256, 256), spacing=(1.0, 1.0, 1.0))
    store_series(orthanc, series)
    instance_bytes = max(map(len, series.part10()))
    tracemalloc.start()
    total = sum(map(len, archive.instances(series.study_uid, series.series_uid, series.sop_uids, ignore)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total > 50 * instance_bytes
    assert peak < 16 * instance_bytes, f"peak {peak / instance_bytes:.1f} instances"


def test_archive_that_is_down_is_unreachable_and_comes_back(tmp_path: Path) -> None:
    with orthanc_server(tmp_path) as server:
        archive = DicomWebArchive(server.dicomweb_url, server.username, server.password, attempts=2, backoff_s=0.05)
        series = make_series(shape=(3, 10, 12))
        store_series(server, series)
        server.stop()
        for call in (
            archive.check,
            lambda: archive.headers(series.study_uid, series.series_uid),
            lambda: list(archive.instances(series.study_uid, series.series_uid, series.sop_uids, ignore)),
            lambda: archive.store(series.part10()[0], series.study_uid),
        ):
            with pytest.raises(ArchiveUnreachable, match="Check that the archive runs"):
                call()
        server.start()
        assert len(list(archive.instances(series.study_uid, series.series_uid, series.sop_uids, ignore))) == 3


def test_retries_outlast_a_restart(tmp_path: Path) -> None:
    with orthanc_server(tmp_path) as server:
        archive = DicomWebArchive(server.dicomweb_url, server.username, server.password, attempts=20, backoff_s=0.2)
        series = make_series(shape=(3, 10, 12))
        store_series(server, series)
        server.stop()
        found: list[int] = []

        def ask() -> None:
            found.append(len(archive.headers(series.study_uid, series.series_uid)))

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.5)
        assert found == []
        server.start()
        asking.join()
        assert found == [3]
