"""The port ``Archive`` over DICOMweb.

References
----------
PS3.18 10.4 (Retrieve), 10.5 (Store), 10.6 (Search).
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import ClassVar

import requests
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag

from delineate.adapters.dicomweb.connection import ArchiveAddress, Connection, Patience
from delineate.adapters.dicomweb.faults import translated
from delineate.adapters.dicomweb.multipart import boundary_of, encoded_part, iter_parts
from delineate.adapters.dicomweb.stow import receipt_of
from delineate.domain.errors import (
    ArchiveDenied,
    ArchiveError,
    ArchiveProtocol,
    SeriesIncomplete,
    SeriesNotFound,
    StoreRefused,
)
from delineate.domain.ports import DicomJson, Progress, SeriesHeaders, StoreReceipt
from delineate.domain.segmentation import SEGMENTATION_CLASSES, InstanceReference

_log = logging.getLogger(__name__)

AS_JSON = "application/dicom+json"
AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
"""Accept header that keeps the archive from transcoding: if it may, Orthanc loses
instances and repairs corrupt ones."""

CHUNK_BYTES = 2**18
"""Bytes taken from the network at a time."""

SOP_INSTANCE_UID = Tag("SOPInstanceUID")
SOP_INSTANCE_UID_KEY = "00080018"
SOP_CLASS_UID_KEY = "00080016"
SERIES_INSTANCE_UID_KEY = "0020000E"
NUMBER_OF_INSTANCES_KEY = "00201209"

WHOLE_SERIES_FRACTION = 0.5
"""From this part of a series on, it is retrieved whole rather than instance by instance."""


class DicomWebArchive:
    """One DICOMweb archive; may be used from several threads.

    Parameters
    ----------
    url
        DICOMweb root.
    username, password
        For basic authentication; None: none.
    timeout_s
        Longest silence of the archive before an answer or in the middle of it. No new attempt is begun after that long.
    connect_timeout_s
        Longest wait for a connection.
    attempts
        How often a request is made while the fault may pass.
    backoff_s
        First pause between attempts; doubles each time, with jitter.
    ca_bundle
        File with the certificate authority of an https address; None: the usual ones.
    """

    def __init__(
        self,
        url: str,
        username: str | None = None,
        password: str | None = None,
        *,
        timeout_s: float = 60.0,
        connect_timeout_s: float = 5.0,
        attempts: int = 4,
        backoff_s: float = 0.25,
        ca_bundle: str | None = None,
    ) -> None:
        address = ArchiveAddress(url.rstrip("/"), username, password, ca_bundle)
        self._connection = Connection(address, Patience(connect_timeout_s, timeout_s, attempts, backoff_s))

    def check(self) -> None:
        """Return when the archive answers a search; raise an ArchiveError if not."""
        try:
            self._connection.call(lambda: self._connection.client.search_for_studies(limit=1))
        except SeriesNotFound as error:
            raise ArchiveProtocol(
                f"There is no DICOMweb at {self._connection.url} (HTTP 404). Check the archive's address."
            ) from error

    def headers(self, study_instance_uid: str, series_instance_uid: str) -> list[DicomJson]:
        """Return the attributes of every instance of a series (WADO-RS metadata).

        Raises
        ------
        SeriesNotFound
            If the archive has no such series.
        ArchiveProtocol
            If the answer is not in the DICOM JSON model.
        """
        return list(self.described(study_instance_uid, series_instance_uid).instances)

    def described(self, study_instance_uid: str, series_instance_uid: str) -> SeriesHeaders:
        """Return the attributes of every instance of a series, and the hash of the answer as it came.

        Raises
        ------
        SeriesNotFound, ArchiveProtocol
            As ``headers``.
        """
        _check_uids(study_instance_uid, series_instance_uid)
        path = f"studies/{study_instance_uid}/series/{series_instance_uid}/metadata"

        def request() -> SeriesHeaders:
            with closing(self._connection.get(path, AS_JSON)) as response:
                content = response.content
            found = json.loads(content) if content else []
            if not isinstance(found, list) or not all(isinstance(h, dict) and SOP_INSTANCE_UID_KEY in h for h in found):
                raise ValueError("metadata without SOP Instance UIDs")
            return SeriesHeaders(found, hashlib.sha256(content).hexdigest())

        described = self._connection.call(request)
        if not described.instances:
            raise SeriesNotFound(f"The archive at {self._connection.url} has no such series.")
        return described

    def instances(
        self, study_instance_uid: str, series_instance_uid: str, sop_instance_uids: Sequence[str], progress: Progress
    ) -> Iterator[bytes]:
        """Yield instances as Part 10 files, as stored, in the order in which they come.

        The series is streamed whole; what does not come that way is asked for one by one. Holds one instance at a time.

        Raises
        ------
        SeriesIncomplete
            If the archive does not deliver all of them.
        ArchiveUnreachable, ArchiveTimeout, ArchiveDenied, SeriesNotFound
            If it delivers none.
        """
        _check_uids(study_instance_uid, series_instance_uid, *sop_instance_uids)
        series = f"studies/{study_instance_uid}/series/{series_instance_uid}"
        tally = _Tally(sop_instance_uids, progress)
        if self._is_most_of_series(study_instance_uid, series_instance_uid, len(tally.waiting)):
            yield from self._streamed(series, tally)
        for uid in list(tally.waiting):
            try:
                part = self._instance(f"{series}/instances/{uid}", tally)
            except SeriesNotFound:
                continue
            if tally.take(part):
                yield part
        tally.check()

    def _streamed(self, series: str, tally: _Tally) -> Iterator[bytes]:
        """Yield what comes of the whole series; a fault on the way ends it, and the rest is asked for one by one."""
        try:
            response = self._connection.call(lambda: self._connection.get(series, AS_STORED))
            with closing(response), translated(self._connection.url):
                for part in self._parts(response, tally):
                    if tally.take(part):
                        yield part
        except (ArchiveDenied, SeriesNotFound):
            raise
        except ArchiveError as fault:
            _log.warning("archive: series broke off (%s), %d instances to go", type(fault).__name__, len(tally.waiting))

    def _is_most_of_series(self, study_instance_uid: str, series_instance_uid: str, wanted: int) -> bool:
        def count() -> int:
            found = self._connection.client.search_for_series(
                study_instance_uid,
                fields=["NumberOfSeriesRelatedInstances"],
                search_filters={"SeriesInstanceUID": series_instance_uid},
            )
            return int(found[0][NUMBER_OF_INSTANCES_KEY]["Value"][0])

        if wanted == 1:
            return False
        try:
            return wanted >= WHOLE_SERIES_FRACTION * self._connection.call(count)
        except (ArchiveProtocol, SeriesNotFound):
            return True  # the count is optional in PS3.18

    def has_instance(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bool:
        """Tell whether the archive holds that instance."""
        _check_uids(study_instance_uid, series_instance_uid, sop_instance_uid)
        try:
            found = self._connection.call(
                lambda: self._connection.client.retrieve_instance_metadata(
                    study_instance_uid, series_instance_uid, sop_instance_uid
                )
            )
        except SeriesNotFound:
            return False
        return bool(found)

    def find_instance(self, study_instance_uid: str, sop_instance_uid: str) -> InstanceReference | None:
        """Return where in the study an instance is (QIDO-RS), or None if the study does not have it."""
        _check_uids(study_instance_uid, sop_instance_uid)

        found = self._search(study_instance_uid, {"SOPInstanceUID": sop_instance_uid})
        return next((one for one in found if one.sop_instance_uid == sop_instance_uid), None)

    def segmentations(self, study_instance_uid: str) -> list[InstanceReference]:
        """Return where the study's DICOM Segmentations are (QIDO-RS); none if the archive has no such study."""
        _check_uids(study_instance_uid)
        found = self._search(study_instance_uid, {"Modality": "SEG"})
        return [one for one in found if one.sop_class_uid in SEGMENTATION_CLASSES]

    def _search(self, study_instance_uid: str, filters: dict[str, str]) -> list[InstanceReference]:
        """Return instances of a study; an archive may ignore a filter that it does not know."""

        def request() -> list[InstanceReference]:
            found = self._connection.client.search_for_instances(study_instance_uid, search_filters=filters)
            keys = (SERIES_INSTANCE_UID_KEY, SOP_INSTANCE_UID_KEY, SOP_CLASS_UID_KEY)
            return [InstanceReference(*(str(header[key]["Value"][0]) for key in keys)) for header in found]

        try:
            return self._connection.call(request)
        except SeriesNotFound:
            return []

    def find_series(self, filters: Mapping[str, str]) -> list[FoundSeries]:
        """Search for series (QIDO-RS) whose attributes, by keyword, match; wildcards and ranges as in PS3.18 8.3.4."""

        def request() -> list[FoundSeries]:
            found = self._connection.client.search_for_series(
                fields=["StudyInstanceUID", "Modality"], search_filters=dict(filters)
            )
            values = [
                [str((header.get(key, {}).get("Value") or [""])[0]) for key in FoundSeries.KEYS] for header in found
            ]
            return [FoundSeries(*value) for value in values]

        return self._connection.call(request)

    def instance(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bytes:
        """Return one instance as a Part 10 file, as stored; SeriesNotFound if the archive does not have it."""
        _check_uids(study_instance_uid, series_instance_uid, sop_instance_uid)
        path = f"studies/{study_instance_uid}/series/{series_instance_uid}/instances/{sop_instance_uid}"
        return self._instance(path, None)

    def _instance(self, path: str, tally: _Tally | None) -> bytes:
        def request() -> bytes:
            with closing(self._connection.get(path, AS_STORED)) as response:
                first, *others = self._parts(response, tally)
            if others:
                raise ValueError("one instance in several parts")
            return first

        return self._connection.call(request)

    def _parts(self, response: requests.Response, tally: _Tally | None) -> Iterator[bytes]:
        chunks = response.iter_content(CHUNK_BYTES)
        counted = tally.counted(chunks) if tally else chunks
        content_type = response.headers.get("Content-Type", "")
        if content_type.startswith("application/dicom") and "json" not in content_type:
            yield b"".join(counted)  # some archives send a lone instance as it is
        else:
            yield from iter_parts(counted, boundary_of(content_type))

    def store(self, part10: bytes, study_instance_uid: str) -> StoreReceipt:
        """Store one instance (STOW-RS); the bytes go as they are.

        Raises
        ------
        StoreRefused
            For good.
        ArchiveUnreachable, ArchiveTimeout, ArchiveDenied
            Otherwise.
        """
        _check_uids(study_instance_uid)
        boundary = uuid.uuid4().hex
        body = encoded_part(part10, boundary, "application/dicom")
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        }
        connection = self._connection

        def request() -> StoreReceipt:
            url = f"{connection.url}/studies/{study_instance_uid}"
            response = connection.session.post(
                url, data=body, headers=headers, timeout=connection.timeout, allow_redirects=False
            )
            return receipt_of(response, connection.url)

        try:
            return connection.call(request)
        except ArchiveProtocol as fault:  # not DICOMweb, and will not be
            raise StoreRefused(fault.text) from fault


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """What a search says of a series."""

    study_instance_uid: str
    series_instance_uid: str
    modality: str

    KEYS: ClassVar = ("0020000D", SERIES_INSTANCE_UID_KEY, "00080060")


class _Tally:
    """Counts what has come of a series, and reports it."""

    def __init__(self, wanted: Sequence[str], progress: Progress) -> None:
        self.waiting = dict.fromkeys(wanted)
        self._all = len(self.waiting)
        self._bytes = 0
        self._progress = progress

    def counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Pass chunks on and report their bytes."""
        for chunk in chunks:
            self._bytes += len(chunk)
            self._report()
            yield chunk

    def take(self, part: bytes) -> bool:
        """Tell whether this instance was waited for, and wait no longer."""
        uid = sop_instance_uid_of(part)
        if uid not in self.waiting:
            return False
        del self.waiting[uid]
        self._report()
        return True

    def check(self) -> None:
        """Raise SeriesIncomplete if something is still waited for."""
        if self.waiting:
            raise SeriesIncomplete(self._all, self._all - len(self.waiting), tuple(self.waiting))

    def _report(self) -> None:
        self._progress(self._all - len(self.waiting), self._all, self._bytes)


def sop_instance_uid_of(part10: bytes) -> str | None:
    """Return the SOP Instance UID of a Part 10 file, None if it cannot be read."""

    def is_past(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        return bool(tag > SOP_INSTANCE_UID)

    try:
        dataset = read_partial(io.BytesIO(part10), stop_when=is_past, specific_tags=[SOP_INSTANCE_UID])
        return str(dataset.SOPInstanceUID)
    except Exception:  # a malformed file raises many things; it then counts as not delivered
        return None


def _check_uids(*uids: str) -> None:
    """Refuse what is no UID, before it becomes part of an address."""
    if not all(re.fullmatch(r"[0-9.]{1,64}", uid) for uid in uids):
        raise SeriesNotFound("A UID has digits and dots only, and at most 64 of them.")
