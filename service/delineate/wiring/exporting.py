"""Who writes exports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from delineate.adapters.celery_app import InProcessWorker, make_celery
from delineate.adapters.celery_exports import EXPORTS_QUEUE, WRITE_EXPORT, CeleryExportQueue
from delineate.adapters.dicom_seg import DicomSegCodec
from delineate.adapters.export_files import ExportFiles
from delineate.adapters.exports import EXPORTERS
from delineate.domain.ports import Archive, Segmenter
from delineate.settings import Settings
from delineate.usecases.export_segments import Exports
from delineate.usecases.measure_segments import AcceptedMeasuring
from delineate.usecases.record_segments import Recorder
from delineate.usecases.volumes import VolumeShelf
from delineate.usecases.write_export import ExportWriter


@dataclass(frozen=True, slots=True)
class Exporting:
    """Exports of this process, and the worker that writes them: one that takes a minute keeps no result waiting."""

    exports: Exports
    start: Callable[[], None]
    """Begin to write, first what an earlier process left."""
    close: Callable[[], None]
    """Write no further one; what is under way begins anew after the restart."""


def open_exports(
    settings: Settings,
    archive: Archive,
    shelf: VolumeShelf,
    segmenter: Segmenter,
    measuring: AcceptedMeasuring,
    recorder: Recorder,
) -> Exporting:
    """Make the parts; nothing runs yet."""
    store = ExportFiles(settings.data_dir / "exports")
    writer = ExportWriter(store, archive, shelf, DicomSegCodec(), measuring, recorder, EXPORTERS)
    celery = make_celery()
    exports = Exports(store, CeleryExportQueue(celery), segmenter)
    worker = InProcessWorker(celery, {WRITE_EXPORT: writer.run}, EXPORTS_QUEUE)

    def start() -> None:
        worker.start()
        exports.resume()

    return Exporting(exports, start, worker.stop)
