"""From settings to working parts: the only module that knows all adapters."""

from __future__ import annotations

from dataclasses import dataclass

from celery import Celery

from delineate.adapters.celery_outbox import CeleryOutbox, make_celery
from delineate.adapters.context_groups import terminology_entries
from delineate.adapters.dicom_seg import DicomSegCodec
from delineate.adapters.dicom_series import DicomSeriesReader
from delineate.adapters.dicom_series.value_units import DicomScaleReader
from delineate.adapters.dicomweb import DicomWebArchive
from delineate.adapters.marching_cubes import MarchingCubes
from delineate.adapters.nninteractive.segmenter import load_segmenter
from delineate.adapters.sqlite_journal import SqliteJournal
from delineate.domain.ports import Archive, Outbox, ResultStore, Segmenter
from delineate.domain.terminology import Terminology
from delineate.settings import Settings
from delineate.usecases.host import SessionHost
from delineate.usecases.measure_segments import SegmentMeasuring
from delineate.usecases.open_session import resume_open_sessions
from delineate.usecases.preload_series import Preloads
from delineate.usecases.store_result import ResultPipeline
from delineate.usecases.stored_segmentations import StoredSegmentations
from delineate.usecases.volumes import VolumeShelf
from delineate.usecases.watched_results import WatchedResults

SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running service."""

    settings: Settings
    archive: Archive
    segmenter: Segmenter
    host: SessionHost
    measuring: SegmentMeasuring
    preloads: Preloads
    results: ResultStore
    outbox: Outbox
    pipeline: ResultPipeline
    celery: Celery
    journal: SqliteJournal
    terminology: Terminology

    def resume(self) -> None:
        """Go on with every session and result of the journal."""
        resume_open_sessions(self.host, self.settings.session_retention_days * SECONDS_PER_DAY)
        self.pipeline.resume()

    def close(self) -> None:
        """Stop what runs and release the data folder."""
        self.host.close()
        self.preloads.close()
        self.segmenter.close()
        self.journal.close()


def build_services(settings: Settings) -> Services:
    """Make every part; nothing runs yet.

    Raises
    ------
    ModelNotFound, LicenceNotAccepted
        If the model cannot be used.
    DataDirInUse
        If another process works in the data folder.
    """
    password = settings.archive_password.get_secret_value() if settings.archive_password else None
    archive = DicomWebArchive(
        settings.archive_url, settings.archive_username, password, timeout_s=settings.archive_timeout_s
    )
    segmenter = load_segmenter(
        settings.model,
        licence_accepted=settings.model_licence_accepted,
        data_dir=settings.data_dir,
        device=settings.device,
        threads=settings.threads,
    )
    journal = SqliteJournal(settings.data_dir)
    celery = make_celery()
    outbox = CeleryOutbox(celery)
    shelf = VolumeShelf(archive, DicomSeriesReader())
    codec = DicomSegCodec()
    segmentations = StoredSegmentations(archive, codec)
    host = SessionHost(journal, shelf, segmenter, segmentations, engine_limit=settings.engine_limit)
    results = WatchedResults(journal, host.result_saved)
    terminology = Terminology(terminology_entries())
    pipeline = ResultPipeline(archive, codec, results, outbox)
    measuring = SegmentMeasuring(host, archive, DicomScaleReader(), MarchingCubes())
    return Services(
        settings=settings,
        archive=archive,
        segmenter=segmenter,
        host=host,
        measuring=measuring,
        preloads=Preloads(shelf),
        results=results,
        outbox=outbox,
        pipeline=pipeline,
        celery=celery,
        journal=journal,
        terminology=terminology,
    )
