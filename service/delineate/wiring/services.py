"""The parts of a running service, and of a worker."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from celery import Celery

from delineate.adapters.celery_app import CeleryOutbox, make_celery
from delineate.adapters.context_groups import anatomic_regions, terminology_entries
from delineate.adapters.dicom_seg import DicomSegCodec
from delineate.adapters.dicom_seg.versions import DicomVersionReader
from delineate.adapters.dicom_series import DicomSeriesReader
from delineate.adapters.dicom_series.value_units import DicomScaleReader
from delineate.adapters.dicom_sr import DicomSrCodec
from delineate.adapters.machine_memory import memory_bytes
from delineate.adapters.marching_cubes import MarchingCubes
from delineate.adapters.nninteractive.prepared import PreparedVolumes
from delineate.adapters.prometheus_meter import PrometheusMeter, Standing
from delineate.adapters.software import software_versions
from delineate.domain.ports import Archive, Outbox, ResultStore, Segmenter, VolumeCache
from delineate.domain.terminology import Terminology
from delineate.settings import Settings
from delineate.usecases.accept_segmentation import Accepting
from delineate.usecases.capacity import Limits
from delineate.usecases.caretaker import Caretaker
from delineate.usecases.export_segments import Exports
from delineate.usecases.host import SessionHost
from delineate.usecases.measure_segments import AcceptedMeasuring, Measuring, SegmentMeasuring
from delineate.usecases.open_session import go_on
from delineate.usecases.preload_series import Preloads
from delineate.usecases.record_segments import Recorder
from delineate.usecases.report_result import ResultReports
from delineate.usecases.result_turns import ResultTurns
from delineate.usecases.segmentation_versions import SegmentationVersions
from delineate.usecases.store_result import ResultPipeline
from delineate.usecases.stored_segmentations import StoredSegmentations
from delineate.usecases.volumes import VolumeShelf
from delineate.wiring.archive import archive_of
from delineate.wiring.exporting import Exporting, ExportSources, are_shared, open_exports
from delineate.wiring.preloading import Preloading, open_preloading, volume_cache
from delineate.wiring.presets import load_presets
from delineate.wiring.segmenter import segmenter_of
from delineate.wiring.stores import Stores, open_stores

SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running service."""

    settings: Settings
    archive: Archive
    segmenter: Segmenter
    host: SessionHost
    accepting: Accepting
    measuring: SegmentMeasuring
    versions: SegmentationVersions
    recorder: Recorder
    exporting: Exporting
    exports: Exports
    """Segments as files of other formats."""
    preloading: Preloading
    results: ResultStore
    outbox: Outbox
    pipeline: ResultPipeline
    turns: ResultTurns
    """Through which every result is advanced."""
    caretaker: Caretaker
    celery: Celery
    stores: Stores
    meter: PrometheusMeter
    terminology: Terminology
    regions: Terminology
    """What a finding can be in."""

    @property
    def preloads(self) -> Preloads:
        """Series that are read ahead."""
        return self.preloading.preloads

    def resume(self) -> None:
        """Go on with what the process before has left; of a store that others share only what is asked for."""
        if not self.stores.shared:
            self.caretaker.purge_expired()
            self.host.rebuild(self.stores.under_way())
            self.pipeline.resume()
        self.preloading.start()
        self.exporting.start()
        self.caretaker.start()

    def close(self) -> None:
        """Stop what runs and release the data folder."""
        self.exporting.close()
        self.preloading.close()
        self.caretaker.close()
        self.host.close()
        self.segmenter.close()
        self.stores.close()


def build_services(settings: Settings) -> Services:
    """Make every part; nothing runs yet.

    Raises
    ------
    ModelNotFound, LicenceNotAccepted
        If the model cannot be used.
    DataDirInUse
        If another process works in the data folder.
    """
    archive = archive_of(settings)
    meter = PrometheusMeter()
    cache = volume_cache(settings)
    prepared = PreparedVolumes(settings.threads, cache.derived)
    segmenter = segmenter_of(settings, prepared)
    stores = open_stores(settings)
    journal = stores.store
    celery = make_celery(stores.broker_url)
    outbox = CeleryOutbox(celery)
    preloading = open_preloading(
        settings, archive, DicomSeriesReader(), cache, prepared.get, meter, here=settings.preload_here
    )
    shelf = preloading.shelf
    segmentations = StoredSegmentations(archive, DicomSegCodec())
    host = SessionHost(
        journal,
        stores.leases,
        shelf,
        segmenter,
        segmentations,
        go_on=go_on,
        limits=_limits(settings, segmenter),
        meter=meter,
    )
    results = stores.watched(host.result_saved)
    made = _result_parts(archive, shelf, stores, results, outbox)
    turns = made.turns
    meter.watch(lambda: _standing(host, results, cache))
    retention_s = settings.session_retention_days * SECONDS_PER_DAY
    sources = ExportSources(archive, shelf, made.accepted, made.recorder)
    exporting = open_exports(settings, sources, here=not are_shared(settings))
    return Services(
        settings=settings,
        archive=archive,
        segmenter=segmenter,
        host=host,
        accepting=Accepting(host, results, outbox, made.versions),
        measuring=SegmentMeasuring(host, made.measuring),
        versions=made.versions,
        recorder=made.recorder,
        exporting=exporting,
        exports=exporting.asked_for(segmenter),
        preloading=preloading,
        results=results,
        outbox=outbox,
        pipeline=made.pipeline,
        turns=turns,
        caretaker=Caretaker(host, results, turns, retention_s=retention_s, exports=exporting.rounds),
        celery=celery,
        stores=stores,
        meter=meter,
        terminology=Terminology(terminology_entries(), load_presets(settings.presets_file)),
        regions=Terminology(anatomic_regions()),
    )


@dataclass(frozen=True, slots=True)
class WorkerServices:
    """The parts of a ``delineate worker``."""

    preloading: Preloading
    exporting: Exporting | None
    """None: the processes that are asked for exports write them."""
    turns: ResultTurns
    celery: Celery
    stores: Stores
    meter: PrometheusMeter

    def start(self) -> None:
        """Begin to take work."""
        self.preloading.start()
        if self.exporting is not None:
            self.exporting.start()

    def close(self) -> None:
        """Stop what runs."""
        self.preloading.close()
        if self.exporting is not None:
            self.exporting.close()
        self.stores.close()


def build_worker(settings: Settings) -> WorkerServices:
    """Make the parts of a process that preloads and stores results for others; nothing runs yet."""
    archive = archive_of(settings)
    cache = volume_cache(settings)
    prepared = PreparedVolumes(settings.threads, cache.derived)
    stores = open_stores(settings)
    celery = make_celery(stores.broker_url)
    meter = PrometheusMeter()
    preloading = open_preloading(settings, archive, DicomSeriesReader(), cache, prepared.get, meter, here=True)
    made = _result_parts(archive, preloading.shelf, stores, stores.store, CeleryOutbox(celery))
    sources = ExportSources(archive, preloading.shelf, made.accepted, made.recorder)
    exporting = open_exports(settings, sources, here=True) if are_shared(settings) else None
    return WorkerServices(preloading, exporting, made.turns, celery, stores, meter)


@dataclass(frozen=True, slots=True)
class _ResultParts:
    measuring: Measuring
    accepted: AcceptedMeasuring
    versions: SegmentationVersions
    recorder: Recorder
    pipeline: ResultPipeline
    turns: ResultTurns


def _result_parts(
    archive: Archive, shelf: VolumeShelf, stores: Stores, results: ResultStore, outbox: Outbox
) -> _ResultParts:
    """Make what brings accepted segmentations into the archive."""
    measuring = Measuring(archive, DicomScaleReader(), MarchingCubes())
    versions = SegmentationVersions(archive, DicomVersionReader(), results)
    recorder = Recorder(stores.store, results, software_versions())
    accepted = AcceptedMeasuring(measuring, shelf)
    reports = ResultReports(archive, accepted, DicomSrCodec(), results, DicomVersionReader())
    pipeline = ResultPipeline(
        archive, DicomSegCodec(), results, outbox, reports=reports, versions=versions, recorder=recorder
    )
    turns = ResultTurns(pipeline.advance, results, outbox, stores.leases)
    return _ResultParts(measuring, accepted, versions, recorder, pipeline, turns)


def _limits(settings: Settings, segmenter: Segmenter) -> Limits:
    memory = settings.memory_bytes or memory_bytes() // 2
    return Limits(
        engines=settings.engine_limit,
        memory_bytes=max(0, memory - segmenter.working_bytes),
        idle_s=settings.idle_s,
        sessions=settings.session_limit,
        user_sessions=settings.user_session_limit,
        user_prompts=settings.user_prompt_limit,
        volumes_in_memory=settings.cache_bytes == 0,
    )


def _standing(host: SessionHost, results: ResultStore, cache: VolumeCache) -> Standing:
    running, waiting = host.queue.lengths
    unfinished = Counter({"encoding": 0, "storing": 0, "verifying": 0, "waiting": 0})
    unfinished.update(result.state for result in results.unfinished())
    usage = cache.usage()
    return Standing(
        sessions=host.standing(),
        running=running,
        waiting=waiting,
        results=unfinished,
        cache_volumes=usage.volumes,
        cache_bytes=usage.nbytes,
        cache_budget_bytes=usage.budget_bytes,
    )
