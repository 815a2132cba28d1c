"""Who reads series ahead on this machine."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from delineate.adapters.celery_app import PRELOAD, CeleryPreloadQueue, InProcessWorker, make_celery, preload_queue
from delineate.adapters.local_preloads import LocalPreloadQueue, LocalPreloadRecords
from delineate.adapters.redis_preloads import RedisPreloadRecords
from delineate.adapters.volume_cache import FileVolumeCache, MemoryVolumeCache
from delineate.domain.errors import JournalUnavailable
from delineate.domain.ports import Archive, PreloadRecords, VolumeCache, VolumeReader
from delineate.domain.preload import PreloadOrder
from delineate.domain.volume import Volume
from delineate.settings import Settings
from delineate.usecases.meter import Meter
from delineate.usecases.preload_series import Preloader, Preloads, loading_elsewhere
from delineate.usecases.volumes import VolumeShelf

log = logging.getLogger(__name__)

KEPT_IN_MEMORY_BYTES = 2 * 1024**3
"""Of volumes that nobody uses any more, when there is no cache on disk."""


@dataclass(frozen=True, slots=True)
class Preloading:
    """Volumes of this machine, and whoever reads them ahead."""

    shelf: VolumeShelf
    preloads: Preloads
    start: Callable[[], None]
    """Begin to carry orders out, if this process does."""
    close: Callable[[], None]
    """Break off what is under way; with Redis it is carried out after the restart."""


def volume_cache(settings: Settings) -> VolumeCache:
    """Return the volume cache that the settings describe."""
    if settings.cache_bytes == 0:
        return MemoryVolumeCache(KEPT_IN_MEMORY_BYTES)
    return FileVolumeCache(settings.cache_dir or settings.data_dir / "volumes", settings.cache_bytes)


def open_preloading(
    settings: Settings,
    archive: Archive,
    reader: VolumeReader,
    cache: VolumeCache,
    prepare: Callable[[Volume], object],
    meter: Meter | None = None,
    *,
    here: bool,
) -> Preloading:
    """Make the parts; nothing runs yet.

    Parameters
    ----------
    prepare
        Makes what every session on a volume will need beside it.
    here
        Whether this process carries orders out; without Redis it does in any case.
    """
    url = settings.redis_url.get_secret_value() if settings.redis_url else None
    machine = settings.machine or socket.gethostname()
    records: PreloadRecords = RedisPreloadRecords(url, machine) if url else LocalPreloadRecords()
    shelf = VolumeShelf(
        archive, reader, cache, downloads=settings.download_limit, elsewhere=loading_elsewhere(records), meter=meter
    )
    preloader = Preloader(shelf, records, prepare, meter)
    if url is None:
        local = LocalPreloadQueue(preloader.run)

        def close() -> None:
            preloader.close()
            shelf.close()
            local.close()

        return Preloading(shelf, Preloads(records, local, cache), start=lambda: None, close=close)
    preloads = Preloads(records, CeleryPreloadQueue(make_celery(url), machine), cache)
    return _with_broker(url, machine, shelf, preloads, preloader, here=here)


def _with_broker(
    url: str, machine: str, shelf: VolumeShelf, preloads: Preloads, preloader: Preloader, *, here: bool
) -> Preloading:
    def run(study_instance_uid: str, series_instance_uid: str, volume: str | None, urgent: bool) -> None:
        preloader.run(PreloadOrder(study_instance_uid, series_instance_uid, volume), urgent=urgent)

    urgent = preload_queue(machine, urgent=True)
    queues = ((preload_queue(machine), urgent), (urgent,)) if here else ()
    workers = [InProcessWorker(make_celery(url), {PRELOAD: run}, *names) for names in queues]

    def start() -> None:
        for worker in workers:
            worker.start()
        if workers:
            try:
                preloads.resume()
            except JournalUnavailable as error:  # it may come later than this process
                log.warning("preloads not resumed", extra={"reason": error.detail})

    def close() -> None:
        preloader.close()
        shelf.close()
        with ThreadPoolExecutor() as at_once:
            list(at_once.map(InProcessWorker.stop, workers))

    return Preloading(shelf, preloads, start=start, close=close)
