"""Who writes exports: the process that is asked, or any worker that shares the folder."""

from __future__ import annotations

from dataclasses import dataclass

from delineate.adapters.celery_app import InProcessWorker, make_celery
from delineate.adapters.celery_exports import EXPORTS_QUEUE, WRITE_EXPORT, CeleryExportQueue
from delineate.adapters.dicom_seg import DicomSegCodec
from delineate.adapters.export_files import ExportFiles
from delineate.adapters.exports import EXPORTERS
from delineate.domain.ports import Archive, Segmenter
from delineate.settings import Settings
from delineate.usecases.export_rounds import ExportRounds
from delineate.usecases.export_segments import Exports
from delineate.usecases.measure_segments import AcceptedMeasuring
from delineate.usecases.record_segments import Recorder
from delineate.usecases.volumes import VolumeShelf
from delineate.usecases.write_export import ExportWriter


@dataclass(frozen=True, slots=True)
class ExportSources:
    """What exports are made from."""

    archive: Archive
    shelf: VolumeShelf
    measuring: AcceptedMeasuring
    recorder: Recorder


@dataclass(frozen=True, slots=True)
class Exporting:
    """The exports of a folder, and the worker that writes them: one that takes a minute keeps no result waiting."""

    store: ExportFiles
    queue: CeleryExportQueue
    rounds: ExportRounds
    worker: InProcessWorker | None
    """None: workers elsewhere write them."""

    def asked_for(self, segmenter: Segmenter) -> Exports:
        """Return what users of this process ask."""
        return Exports(self.store, self.queue, segmenter)

    def start(self) -> None:
        """Begin to write, first what an earlier process left."""
        if self.worker is not None:
            self.worker.start()
        self.rounds.resume()

    def close(self) -> None:
        """Write no further one; what is under way begins anew after the restart."""
        if self.worker is not None:
            self.worker.stop()


def are_shared(settings: Settings) -> bool:
    """Whether workers write exports, rather than the process that is asked."""
    return settings.redis_url is not None and settings.export_dir is not None


def open_exports(settings: Settings, sources: ExportSources, *, here: bool) -> Exporting:
    """Make the parts; nothing runs yet. ``here``: whether this process writes exports."""
    store = ExportFiles(settings.export_dir or settings.data_dir / "exports")
    broker = settings.redis_url.get_secret_value() if settings.redis_url and are_shared(settings) else None
    celery = make_celery(broker)
    queue = CeleryExportQueue(celery)
    writer = ExportWriter(
        store, sources.archive, sources.shelf, DicomSegCodec(), sources.measuring, sources.recorder, EXPORTERS
    )
    worker = InProcessWorker(celery, {WRITE_EXPORT: writer.run}, EXPORTS_QUEUE) if here else None
    return Exporting(store, queue, ExportRounds(store, queue), worker)
