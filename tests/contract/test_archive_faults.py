"""The archive adapter against servers that refuse, hang, break off or answer nonsense."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pydicom
import pytest
from tests.phantoms import PhantomSeries, make_series

from delineate.adapters.dicomweb import DicomWebArchive
from delineate.domain.errors import (
    ArchiveDenied,
    ArchiveError,
    ArchiveProtocol,
    ArchiveTimeout,
    ArchiveUnreachable,
    SeriesIncomplete,
    SeriesNotFound,
    StoreRefused,
)

Answer = Callable[[BaseHTTPRequestHandler], None]
MULTIPART = 'multipart/related; type="application/dicom"; boundary=xyz'


class FaultyServer(ThreadingHTTPServer):
    """Answers each request by the next of its answers, the last one for ever."""

    daemon_threads = True

    def __init__(self, answers: Sequence[Answer]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = list(answers)
        self.requests: list[str] = []
        self.headers_seen: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/dicom-web"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The client went away: as intended."""


class Handler(BaseHTTPRequestHandler):
    server: FaultyServer

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        del body
        self.server.requests.append(self.path)
        self.server.headers_seen.append(dict(self.headers))
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(*answers: Answer) -> Iterator[FaultyServer]:
    server = FaultyServer(answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply(status: int, body: bytes = b"", content_type: str = "text/html", **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def dicom_json(document: Any, status: int = 200) -> Answer:
    return reply(status, json.dumps(document).encode(), "application/dicom+json")


def closing_after(body: bytes) -> Answer:
    """Answer as Orthanc does: no length, the end of the connection is the end of the message."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", MULTIPART)
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return answer


def multipart(parts: Sequence[bytes]) -> bytes:
    return b"".join(b"\r\n--xyz\r\nContent-Type: application/dicom\r\n\r\n" + part for part in parts) + b"\r\n--xyz--"


def hang(handler: BaseHTTPRequestHandler) -> None:
    del handler
    time.sleep(3)


def hang_after_half(body: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", MULTIPART)
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2])
        handler.wfile.flush()
        time.sleep(3)

    return answer


def archive_at(server: FaultyServer, **options: Any) -> DicomWebArchive:
    return DicomWebArchive(
        server.url, "user", "secret", **({"attempts": 3, "backoff_s": 0.01, "timeout_s": 5.0} | options)
    )


def ignore(_done: int, _all: int, _bytes: int) -> None: ...


@pytest.fixture(scope="module")
def series() -> PhantomSeries:
    return make_series(shape=(5, 10, 12))


ERRORS: dict[str, tuple[Answer, type[ArchiveError], int]] = {
    "400": (reply(400), ArchiveProtocol, 1),
    "401": (reply(401), ArchiveDenied, 1),
    "403": (reply(403), ArchiveDenied, 1),
    "404": (reply(404), SeriesNotFound, 1),
    "406": (reply(406), ArchiveProtocol, 1),
    "408": (reply(408), ArchiveTimeout, 3),
    "429": (reply(429), ArchiveUnreachable, 3),
    "500": (reply(500), ArchiveUnreachable, 3),
    "501": (reply(501), ArchiveProtocol, 1),
    "503": (reply(503), ArchiveUnreachable, 3),
    "504": (reply(504), ArchiveTimeout, 3),
    "a redirect": (reply(302, Location="http://127.0.0.1:9/elsewhere"), ArchiveProtocol, 1),
    "a web page": (reply(200, b"<html>hello</html>"), ArchiveProtocol, 1),
    "a number": (dicom_json(17), ArchiveProtocol, 1),
    "a text": (dicom_json("hello"), ArchiveProtocol, 1),
    "headers without UIDs": (dicom_json([{"00080005": {"vr": "CS"}}]), ArchiveProtocol, 1),
    "broken JSON": (reply(200, b'[{"0008', "application/dicom+json"), ArchiveProtocol, 1),
    "nothing": (dicom_json([]), SeriesNotFound, 1),
}


@pytest.mark.parametrize("name", ERRORS)
def test_faults_of_metadata_are_named_and_only_passing_ones_tried_again(name: str, series: PhantomSeries) -> None:
    answer, leaf, attempts = ERRORS[name]
    with serving(answer) as server:
        with pytest.raises(ArchiveError) as caught:
            archive_at(server).headers(series.study_uid, series.series_uid)
        assert type(caught.value) is leaf
        assert len(server.requests) == attempts
        assert "secret" not in str(caught.value)
        assert series.study_uid not in str(caught.value)


def test_a_fault_that_passes_is_no_fault(series: PhantomSeries) -> None:
    with serving(reply(503), reply(500), dicom_json(series.headers())) as server:
        assert len(archive_at(server).headers(series.study_uid, series.series_uid)) == 5


def test_an_archive_that_hangs_times_out(series: PhantomSeries) -> None:
    with serving(hang) as server:
        archive = archive_at(server, timeout_s=0.2)
        begun = time.monotonic()
        for call in (
            archive.check,
            lambda: archive.headers(series.study_uid, series.series_uid),
            lambda: archive.instance(series.study_uid, series.series_uid, series.sop_uids[0]),
            lambda: archive.store(b"x", series.study_uid),
        ):
            with pytest.raises(ArchiveTimeout):
                call()
        assert time.monotonic() - begun < 4


def test_a_web_server_is_no_archive() -> None:
    with serving(reply(404)) as server, pytest.raises(ArchiveProtocol, match="no DICOMweb"):
        archive_at(server).check()


def test_host_header_has_the_port(series: PhantomSeries) -> None:
    """dicomweb-client sends it without (FACTS section 2)."""
    with serving(dicom_json(series.headers())) as server:
        archive_at(server).headers(series.study_uid, series.series_uid)
        assert server.headers_seen[0]["Host"] == f"127.0.0.1:{server.server_address[1]}"
        assert server.headers_seen[0]["Authorization"].startswith("Basic ")


COUNT = dicom_json([{"00201209": {"vr": "IS", "Value": [5]}}])


def test_a_series_that_lacks_instances_is_completed_one_by_one(series: PhantomSeries) -> None:
    parts = series.part10()
    single = [closing_after(multipart([part])) for part in parts[3:]]
    with serving(COUNT, closing_after(multipart(parts[:3])), *single) as server:
        received = list(archive_at(server).instances(series.study_uid, series.series_uid, series.sop_uids, ignore))
        assert sorted(received) == sorted(parts)
        assert len(server.requests) == 4


def test_a_series_that_stays_incomplete_is_refused(series: PhantomSeries) -> None:
    """Three of five, no error: what Orthanc does to mixed transfer syntaxes when it may transcode."""
    with serving(COUNT, closing_after(multipart(series.part10()[:3])), reply(404)) as server:
        with pytest.raises(SeriesIncomplete) as caught:
            list(archive_at(server).instances(series.study_uid, series.series_uid, series.sop_uids, ignore))
        assert caught.value.missing == series.sop_uids[3:]
        assert (caught.value.expected, caught.value.received) == (5, 3)


@pytest.mark.parametrize("kept", [0.3, 0.5, 0.99])
def test_a_message_that_breaks_off_never_gives_half_an_instance(series: PhantomSeries, kept: float) -> None:
    parts = series.part10()
    whole = multipart(parts)
    cut = closing_after(whole[: int(kept * len(whole))])
    with serving(COUNT, cut, reply(404)) as server:
        received: list[bytes] = []
        with pytest.raises(SeriesIncomplete):
            received.extend(archive_at(server).instances(series.study_uid, series.series_uid, series.sop_uids, ignore))
        assert all(part in parts for part in received)


def test_a_stream_that_hangs_is_given_up_and_completed(series: PhantomSeries) -> None:
    parts = series.part10()
    single = [closing_after(multipart([part])) for part in parts]
    with serving(COUNT, hang_after_half(multipart(parts)), *single) as server:
        archive = archive_at(server, timeout_s=0.3)
        received = list(archive.instances(series.study_uid, series.series_uid, series.sop_uids, ignore))
        assert sorted(received) == sorted(parts)


def test_instances_of_other_series_and_twins_are_left_out(series: PhantomSeries) -> None:
    parts = series.part10()
    other = make_series(shape=(1, 10, 12)).part10()
    with serving(COUNT, closing_after(multipart([*other, *parts, parts[0], b"no DICOM"]))) as server:
        received = list(archive_at(server).instances(series.study_uid, series.series_uid, series.sop_uids, ignore))
        assert received == parts


def test_a_lone_instance_without_multipart_is_taken(series: PhantomSeries) -> None:
    part = series.part10()[0]
    with serving(reply(200, part, "application/dicom")) as server:
        got = archive_at(server).instance(series.study_uid, series.series_uid, series.sop_uids[0])
        assert pydicom.dcmread(io.BytesIO(got)).SOPInstanceUID == series.datasets[0].SOPInstanceUID


def test_an_instance_that_is_a_web_page_is_no_instance(series: PhantomSeries) -> None:
    with serving(reply(200, b"<html>")) as server, pytest.raises(ArchiveProtocol):
        archive_at(server).instance(series.study_uid, series.series_uid, series.sop_uids[0])


def failed(reason: int) -> dict[str, Any]:
    return {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [reason]}}]}}


STORES: dict[str, tuple[Answer, type[ArchiveError], int]] = {
    "409, processing failure": (dicom_json(failed(0x0110), 409), StoreRefused, 1),
    "409, SOP class not supported": (dicom_json(failed(0x0122), 409), StoreRefused, 1),
    "202, data set does not match": (dicom_json(failed(0xA900), 202), StoreRefused, 1),
    "200, and yet failed": (dicom_json(failed(0xC000), 200), StoreRefused, 1),
    "409, out of resources": (dicom_json(failed(0xA700), 409), ArchiveUnreachable, 3),
    "409 without a reason": (reply(409), StoreRefused, 1),
    "400": (dicom_json({}, 400), StoreRefused, 1),
    "401": (reply(401), ArchiveDenied, 1),
    "404": (reply(404), StoreRefused, 1),
    "413": (reply(413), StoreRefused, 1),
    "429": (reply(429), ArchiveUnreachable, 3),
    "503": (reply(503), ArchiveUnreachable, 3),
    "507": (reply(507), ArchiveUnreachable, 3),
    "a redirect": (reply(301, Location="/elsewhere"), StoreRefused, 1),
}


@pytest.mark.parametrize("name", STORES)
def test_refusals_to_store_are_final_or_not(name: str, series: PhantomSeries) -> None:
    answer, leaf, attempts = STORES[name]
    with serving(answer) as server:
        with pytest.raises(ArchiveError) as caught:
            archive_at(server).store(series.part10()[0], series.study_uid)
        assert type(caught.value) is leaf
        assert len(server.requests) == attempts


def test_failure_reason_is_in_the_sentence(series: PhantomSeries) -> None:
    with (
        serving(dicom_json(failed(0x0122), 409)) as server,
        pytest.raises(StoreRefused, match="0122: SOP class not supported"),
    ):
        archive_at(server).store(series.part10()[0], series.study_uid)


def test_warnings_of_a_store_are_kept(series: PhantomSeries) -> None:
    item = {"00081196": {"vr": "US", "Value": [0xB000]}, "00081190": {"vr": "UR", "Value": ["http://x/instance"]}}
    with serving(dicom_json({"00081199": {"vr": "SQ", "Value": [item]}}, 202)) as server:
        receipt = archive_at(server).store(series.part10()[0], series.study_uid)
    assert receipt.warnings == ("B000: the archive changed attributes",)
    assert receipt.retrieve_url == "http://x/instance"


def test_a_store_that_says_nothing_but_200_is_taken(series: PhantomSeries) -> None:
    with serving(reply(200)) as server:
        assert archive_at(server).store(series.part10()[0], series.study_uid).warnings == ()
