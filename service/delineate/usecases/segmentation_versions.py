"""List the segmentations of a series as versions, and keep two users from making two next versions unawares."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from delineate.domain.errors import NewerVersions, SeriesNotFound
from delineate.domain.ports import Archive, ResultStore, VersionReader
from delineate.domain.result import Result
from delineate.domain.segmentation import SEGMENTATION_CLASSES, InstanceReference
from delineate.domain.versions import SegmentationVersion, newer_than

MOST_KNOWN = 10_000
"""Headers that are remembered: an instance never changes."""


class SegmentationVersions:
    """The segmentations of an archive as versions of each other."""

    def __init__(self, archive: Archive, reader: VersionReader, results: ResultStore) -> None:
        self._archive = archive
        self._reader = reader
        self._results = results
        self._known: dict[str, SegmentationVersion] = {}
        self._turns: WeakValueDictionary[str, _Turn] = WeakValueDictionary()
        self._guard = threading.Lock()

    def of_series(self, study_instance_uid: str, series_instance_uid: str) -> list[SegmentationVersion]:
        """Return the segmentations made on a series, in the order in which they say that they were made.

        Raises
        ------
        ArchiveError
            If the archive does not do its part.
        """
        found = [v for v in self._of_study(study_instance_uid) if series_instance_uid in v.source_series]
        return sorted(found, key=lambda v: v.created_at.timestamp() if v.created_at else 0.0)

    @contextmanager
    def turn(self, base: str) -> Iterator[None]:
        """Let nobody else of this process accept a next version of that segmentation meanwhile."""
        with self._guard:
            turn = self._turns.setdefault(base, _Turn())
        with turn.lock:
            yield

    def check(self, study_instance_uid: str, base: str, *, session: str, known: Collection[str]) -> None:
        """Return if a next version of ``base`` overlooks nobody's work.

        Parameters
        ----------
        base
            SOP Instance UID of the segmentation that is to get a next version.
        session
            Whose results on their way overlook nobody's work.
        known
            SOP Instance UIDs of newer versions that the same session has stored, or wants to store beside.

        Raises
        ------
        NewerVersions
            If there is a newer version that is neither.
        ArchiveError
            If the archive cannot be asked.
        """
        under_way = self._under_way(study_instance_uid, session)
        _refuse_newer(base, under_way, known)  # even while the archive is away
        _refuse_newer(base, [*under_way, *self._of_study(study_instance_uid)], known)

    def _of_study(self, study_instance_uid: str) -> list[SegmentationVersion]:
        references = self._archive.segmentations(study_instance_uid)
        return [v for reference in references if (v := self._version(study_instance_uid, reference)) is not None]

    def _version(self, study_instance_uid: str, reference: InstanceReference) -> SegmentationVersion | None:
        known = self._known.get(reference.sop_instance_uid)
        if known is None:
            try:
                headers = self._archive.headers(study_instance_uid, reference.series_instance_uid)
            except SeriesNotFound:  # deleted meanwhile
                return None
            if len(self._known) > MOST_KNOWN:
                self._known.clear()
            for header in headers:
                if header["00080016"]["Value"][0] in SEGMENTATION_CLASSES:
                    version = self._reader.version(header)
                    self._known[version.reference.sop_instance_uid] = version
            known = self._known.get(reference.sop_instance_uid)
        return known

    def _under_way(self, study_instance_uid: str, session: str) -> list[SegmentationVersion]:
        """Return the next versions that other sessions have accepted and that are not in the archive yet."""
        return [
            _accepted(result)
            for result in self._results.unfinished()
            if result.predecessor is not None
            and result.study_instance_uid == study_instance_uid
            and result.session != session
        ]


def _refuse_newer(base: str, versions: Iterable[SegmentationVersion], known: Collection[str]) -> None:
    by_uid = {version.reference.sop_instance_uid: version for version in versions}
    newer = [v for v in newer_than(base, by_uid.values()) if v.reference.sop_instance_uid not in known]
    if newer:
        raise NewerVersions(base, tuple(_said(version) for version in newer))


class _Turn:
    """A lock that can be referenced weakly."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def _accepted(result: Result) -> SegmentationVersion:
    return SegmentationVersion(
        reference=InstanceReference(result.series_instance_uid, result.sop_instance_uid, SEGMENTATION_CLASSES[0]),
        source_series=(),
        predecessors=(result.predecessor,) if result.predecessor else (),
        creator=result.user,
        created_at=datetime.fromtimestamp(result.created_at, UTC),
        description="",
        made_by="",
    )


def _said(version: SegmentationVersion) -> dict[str, str | None]:
    return {
        "sop_instance_uid": version.reference.sop_instance_uid,
        "creator": version.creator,
        "created_at": version.created_at.isoformat() if version.created_at else None,
        "description": version.description,
        "made": version.by_whom_and_when,
    }
