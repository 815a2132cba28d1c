"""Write exports: each format into a folder that nobody reads, and then all of them as one file."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from delineate.domain.errors import DelineateError, ExportNotFound, SeriesChanged, SeriesNotFound, said_of
from delineate.domain.export import MANIFEST, Export, ExportedFormat, ExportStore
from delineate.domain.measurement_table import measurement_table
from delineate.domain.ports import Acceptance, Archive, DicomJson, Exporter, ExportSource, ResultCodec
from delineate.usecases.frozen import Identity, thaw
from delineate.usecases.measure_segments import AcceptedMeasuring
from delineate.usecases.record_segments import RECORDING_FILE, Recorder
from delineate.usecases.volumes import VolumeShelf

log = logging.getLogger(__name__)

SEG_FILE, LABELMAP_FILE = "segmentation.dcm", "segmentation-labelmap.dcm"
CSV_FILE = "measurements.csv"
ATTEMPTS = 3
"""How often an export is begun: one that ends its writer would otherwise do so for ever."""


class ExportWriter:
    """Writes exports; safe to call again at any time, after any crash."""

    def __init__(
        self,
        store: ExportStore,
        archive: Archive,
        shelf: VolumeShelf,
        codec: ResultCodec,
        measuring: AcceptedMeasuring,
        recorder: Recorder,
        exporters: Mapping[str, Exporter],
    ) -> None:
        self._store = store
        self._archive = archive
        self._shelf = shelf
        self._codec = codec
        self._measuring = measuring
        self._recorder = recorder
        self._exporters = exporters

    def run(self, export_id: str) -> None:
        """Write an export from its beginning to its end, unless it is finished, was deleted, or another writes it."""
        try:
            with self._store.claim(export_id) as mine:
                if mine:
                    self._run(export_id)
        except ExportNotFound:
            log.info("export is gone", extra={"export": export_id})

    def _run(self, export_id: str) -> None:
        export = self._store.load(export_id)
        if export.is_finished:
            return
        if export.attempts >= ATTEMPTS:
            log.error("export given up", extra={"export": export_id})
            self._store.save(replace(export, state="failed", reason=_given_up(export)))
            return
        try:
            self._finish(self._write(_begun(export)))
        except ExportNotFound:
            raise
        except Exception as error:
            self._fail(export_id, error)

    def _write(self, export: Export) -> Export:
        self._store.save(export)
        acceptance = _acceptance(export, self._store.read_content(export.id))
        plan = acceptance.plan
        try:
            headers = self._archive.headers(plan.study_instance_uid, plan.series_instance_uid)
            source = ExportSource(acceptance, self._codec.encode(acceptance, headers), self._shelf.load_unchanged(plan))
        except SeriesNotFound as error:
            raise SeriesChanged(plan.series_instance_uid) from error
        work = self._store.workspace(export.id)
        for place, wanted in enumerate(export.formats):
            formats = list(export.formats)
            formats[place] = self._format(export, wanted, source, headers, work)
            export = replace(export, formats=tuple(formats))
            self._store.save(export)
        (work / MANIFEST).write_text(json.dumps(_manifest(export, acceptance), indent=2), encoding="utf-8")
        return export

    def _finish(self, export: Export) -> None:
        if all(one.state == "failed" for one in export.formats):
            self._store.save(replace(export, state="failed", reason=export.formats[0].reason))
            return
        size = self._store.publish(export.id)
        self._store.save(replace(export, state="done", size_bytes=size))
        log.info("export", extra={"export": export.id, "bytes": size})

    def _format(
        self, export: Export, wanted: ExportedFormat, source: ExportSource, headers: list[DicomJson], work: Path
    ) -> ExportedFormat:
        """Write one format; what goes wrong with it leaves the others alone.

        Raises
        ------
        ExportNotFound
            If the export was deleted in the meantime.
        """
        folder = work / wanted.name
        folder.mkdir()
        try:
            names = self._files(export, wanted.name, source, headers, folder)
        except Exception as error:
            self._store.load(export.id)  # of one that was deleted the folder has gone: that is no fault of the format
            if not isinstance(error, DelineateError):
                log.exception("format failed", extra={"export": export.id, "format": wanted.name})
            for path in folder.iterdir():
                path.unlink()
            return replace(wanted, state="failed", reason=said_of(error))
        return replace(wanted, state="done", files=tuple(f"{wanted.name}/{name}" for name in names))

    def _files(
        self, export: Export, name: str, source: ExportSource, headers: list[DicomJson], folder: Path
    ) -> tuple[str, ...]:
        match name:
            case "seg":
                return _write_file(folder / SEG_FILE, source.segmentation)
            case "seg-labelmap":
                uid = f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'{export.id}/labelmap').int}"
                other = replace(source.acceptance, encoding="LABELMAP", sop_instance_uid=uid)
                return _write_file(folder / LABELMAP_FILE, self._codec.encode(other, headers))
            case "csv":
                table = measurement_table(self._measuring.measure(source.acceptance))
                return _write_file(folder / CSV_FILE, table.encode("utf-8"))
            case "recording":
                made = self._recorder.record(export.session, source.acceptance, export.created_at)
                return _write_file(folder / RECORDING_FILE, made)
            case _:
                return self._exporters[name].write(source, folder)

    def _fail(self, export_id: str, error: Exception) -> None:
        """End an export that cannot be written; ExportNotFound if that is because it was deleted."""
        export = self._store.load(export_id)
        if not isinstance(error, DelineateError):
            log.exception("export failed", extra={"export": export_id})
        self._store.save(replace(export, state="failed", reason=said_of(error)))


def _begun(export: Export) -> Export:
    """Return an export of which nothing is written yet, begun once more."""
    formats = tuple(ExportedFormat(one.name) for one in export.formats)
    return replace(export, state="running", formats=formats, attempts=export.attempts + 1)


def _given_up(export: Export) -> str:
    waiting = [one.name for one in export.formats if one.state == "waiting"]
    return (
        f"Writing was begun {export.attempts} times and broke off each time, the last time before "
        f"{waiting[0] if waiting else 'the ZIP file'} was written: most likely memory ran out. Unless the service was "
        "restarted each time, export fewer formats or segments at once, or have what writes exports given more memory."
    )


def _acceptance(export: Export, content: bytes) -> Acceptance:
    made = uuid.uuid5(uuid.NAMESPACE_OID, export.id)
    series, instance = (f"2.25.{uuid.uuid5(made, what).int}" for what in ("series", "instance"))
    return thaw(Identity(series, instance, export.user, export.created_at), content)


def _write_file(path: Path, data: bytes) -> tuple[str, ...]:
    path.write_bytes(data)
    return (path.name,)


def _manifest(export: Export, acceptance: Acceptance) -> dict[str, object]:
    return {
        "study_instance_uid": export.study_instance_uid,
        "series_instance_uid": export.series_instance_uid,
        "exported_at": acceptance.accepted_at.isoformat(),
        "notice": "Research use only. Not a medical device; not for diagnosis or treatment.",
        "model": {"id": acceptance.model.id, "weights_sha256": acceptance.model.weights_sha256},
        "segments": [
            {"number": n, "label": s.description.label, "tracking_uid": s.tracking_uid}
            for n, s in enumerate(acceptance.segments, 1)
        ],
        "empty": [asdict(segment) for segment in export.empty],
        "formats": [{"name": f.name, "files": list(f.files), "reason": f.reason} for f in export.formats],
    }
