"""Segments on their way into a file of formats that others read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from delineate.domain.records import Json

ExportState = Literal["waiting", "running", "done", "failed"]
FormatState = Literal["waiting", "done", "failed"]

FORMATS = (
    "seg",
    "seg-labelmap",
    "nifti",
    "nrrd",
    "stl",
    "obj",
    "rtstruct",
    "csv",
    "prompts",
    "recording",
)
"""What segments can be exported as: DICOM SEG (BINARY, LABELMAP), NIfTI of image and labelmap, NRRD in Slicer's form,
meshes, DICOM RT Structure Set, measurements, prompts that can be sent again, and what `delineate replay` reads."""

MANIFEST = "export.json"
"""Name in an export's file of what says what else is in it."""


@dataclass(frozen=True, slots=True)
class ExportedFormat:
    """One format of an export."""

    name: str
    state: FormatState = "waiting"
    files: tuple[str, ...] = ()
    """Names in the export's file."""
    reason: str | None = None
    """Why it could not be written."""


@dataclass(frozen=True, slots=True)
class EmptySegment:
    """A segment that an export of all segments leaves out, for nothing is drawn in it."""

    number: int
    """In the session; the segments that are exported are counted anew."""
    label: str
    tracking_uid: str


@dataclass(frozen=True, slots=True)
class Export:
    """An export; durable, so that it is made again from the start if the process dies on the way."""

    id: str
    session: str
    user: str
    study_instance_uid: str
    series_instance_uid: str
    """Of the images."""
    created_at: float
    """Seconds since the epoch."""
    formats: tuple[ExportedFormat, ...]
    state: ExportState = "waiting"
    reason: str | None = None
    """Why nothing could be written."""
    size_bytes: int | None = None
    """Of the file, once it is there."""
    attempts: int = 0
    """How often a writer has begun it."""
    empty: tuple[EmptySegment, ...] = ()
    """What was left out."""

    @property
    def is_finished(self) -> bool:
        """Whether it has come to its end."""
        return self.state in ("done", "failed")


def export_to_json(export: Export) -> Json:
    """Return an export's state as JSON."""
    return asdict(export)


def export_from_json(data: Mapping[str, Any]) -> Export:
    """Turn JSON back into an export's state.

    Raises
    ------
    ValueError, TypeError, KeyError
        If it is none that this version writes, or an earlier one.
    """
    formats = tuple(ExportedFormat(**{**item, "files": tuple(item["files"])}) for item in data["formats"])
    empty = tuple(EmptySegment(**item) for item in data.get("empty", ()))
    return Export(**{**data, "formats": formats, "empty": empty})


class ExportStore(Protocol):
    """Exports, of one process or of several: their state, what they are made from, and their files."""

    def create(self, export: Export, content: bytes) -> None:
        """Begin to keep an export, and what it is made from; durable on return."""

    def save(self, export: Export) -> None:
        """Write the state of an export that is kept, durable on return; ExportNotFound once it is forgotten."""

    def load(self, export_id: str) -> Export:
        """Return an export; ExportNotFound if there is none, or none that can be read."""

    def all(self) -> list[Export]:
        """Return every export that can be read, oldest first."""

    def sweep(self, before: float) -> None:
        """Forget what no export will come of.

        That is what is left of exports that were killed while they were asked for, an hour ago or earlier, and those
        that cannot be read and were last changed before ``before`` (seconds since the epoch).
        """

    def read_content(self, export_id: str) -> bytes:
        """Return what an export is made from; ExportNotFound if there is nothing."""

    def claim(self, export_id: str) -> AbstractContextManager[bool]:
        """Hold the right to write an export; False while another has it. It ends with its holder, however that ends."""

    def workspace(self, export_id: str) -> Path:
        """Return an empty folder to write an export's files into, what was there is forgotten; or ExportNotFound."""

    def publish(self, export_id: str) -> int:
        """Make the workspace's files the export's one file, all or nothing, and return its size in bytes.

        Raises
        ------
        ExportNotFound
            Once the export is forgotten.
        """

    def file(self, export_id: str) -> Path | None:
        """Return where the file is, or None while there is none."""

    def purge(self, export_id: str) -> None:
        """Forget an export and its file, at once for whoever writes it."""
