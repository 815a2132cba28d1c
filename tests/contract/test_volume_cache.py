"""What every volume cache does: the same tests for files and for memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.cache_cases import NBYTES, Fill, Voxels, plan_of, voxels_of
from tests.phantoms import make_series

from delineate.adapters.dicom_series import DicomSeriesReader
from delineate.adapters.volume_cache import FileVolumeCache, MemoryVolumeCache
from delineate.domain.errors import SeriesIncomplete
from delineate.domain.ports import VolumeCache

THREADS = 8


@pytest.fixture(params=["files", "memory"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> VolumeCache:
    return FileVolumeCache(tmp_path / "cache", 100 * NBYTES) if request.param == "files" else MemoryVolumeCache()


def test_a_volume_is_filled_once_and_found(cache: VolumeCache) -> None:
    plan, fill = plan_of(1), Fill(plan_of(1))
    assert cache.find(plan) is None
    first = cache.load(plan, fill)
    second = cache.load(plan, fill)
    found = cache.find(plan)
    assert fill.calls == 1
    assert found is not None
    for volume in (first, second, found):
        assert volume.plan is plan
        assert volume.voxels.dtype == np.float32
        assert np.array_equal(volume.voxels, voxels_of(plan))


def test_nobody_can_write_to_the_voxels(cache: VolumeCache) -> None:
    plan = plan_of(1)
    volume = cache.load(plan, Fill(plan))
    derived = cache.derived(plan, "doubled", lambda: 2 * volume.voxels)
    for array in (volume.voxels, derived, volume.voxels[1:]):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0, 0] = 1.0


def test_a_changed_series_is_another_volume(cache: VolumeCache) -> None:
    before, grown = plan_of(1), plan_of(1, instances=5)
    kept = cache.load(before, Fill(before))
    assert cache.find(grown) is None
    assert cache.load(grown, Fill(grown)).voxels.shape[0] == 5
    assert np.array_equal(kept.voxels, voxels_of(before))


def test_a_failed_fill_leaves_nothing_and_the_next_succeeds(cache: VolumeCache) -> None:
    plan = plan_of(1)

    def fail(_out: Voxels) -> None:
        raise SeriesIncomplete(4, 2, ("1.3.1.2", "1.3.1.3"))

    with pytest.raises(SeriesIncomplete):
        cache.load(plan, Fill(plan, fail))
    assert cache.find(plan) is None
    assert cache.usage().nbytes == 0
    assert np.array_equal(cache.load(plan, Fill(plan)).voxels, voxels_of(plan))


def test_threads_that_ask_at_once_fill_once(cache: VolumeCache) -> None:
    plan = plan_of(1)
    others_wait = threading.Semaphore(0)

    def all_others_wait(_out: Voxels) -> None:
        for _ in range(THREADS - 1):
            assert others_wait.acquire(timeout=60)

    fill = Fill(plan, all_others_wait)
    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(cache.load, plan, fill, once(others_wait.release)) for _ in range(THREADS)]
        volumes = [one.result() for one in asked]
    assert fill.calls == 1
    assert all(np.array_equal(volume.voxels, voxels_of(plan)) for volume in volumes)


def once(call: Callable[[], None]) -> Callable[[], None]:
    """Return a function that makes the call when it is called for the first time."""
    done = threading.Event()

    def first() -> None:
        if not done.is_set():
            done.set()
            call()

    return first


class GaveUpError(Exception):
    """Somebody does not want to wait any longer."""


def test_who_waits_can_give_up(cache: VolumeCache) -> None:
    plan = plan_of(1)
    filling, go_on = threading.Event(), threading.Event()

    def hold(_out: Voxels) -> None:
        filling.set()
        assert go_on.wait(60)

    def give_up() -> None:
        raise GaveUpError

    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(cache.load, plan, Fill(plan, hold))
        assert filling.wait(60)
        with pytest.raises(GaveUpError):
            cache.load(plan, Fill(plan), give_up)
        go_on.set()
        assert np.array_equal(loading.result().voxels, voxels_of(plan))


def test_a_derived_array_is_made_once(cache: VolumeCache) -> None:
    plan = plan_of(1)
    volume = cache.load(plan, Fill(plan))
    made = []

    def make() -> Voxels:
        made.append(1)
        return (volume.voxels[None] / 2).astype(np.float32)

    first, second = (cache.derived(plan, "model-1.normalised", make) for _ in range(2))
    other = cache.derived(plan, "other", lambda: np.arange(5, dtype=np.int16))
    assert len(made) == 1
    assert first.shape == (1, *volume.voxels.shape)
    assert np.array_equal(first, second)
    assert np.array_equal(first[0], voxels_of(plan) / 2)
    assert other.dtype == np.int16
    assert other.tolist() == [0, 1, 2, 3, 4]
    assert np.array_equal(volume.voxels, voxels_of(plan))


@pytest.mark.parametrize("name", ["voxels", "../manifest", "in-use/..", ""])
def test_a_derived_array_has_a_plain_name_of_its_own(cache: VolumeCache, name: str) -> None:
    plan = plan_of(1)
    volume = cache.load(plan, Fill(plan))
    with pytest.raises(ValueError, match="no name"):
        cache.derived(plan, name, lambda: volume.voxels)


def test_an_array_derived_from_a_volume_that_is_not_here_is_made_all_the_same(cache: VolumeCache) -> None:
    assert cache.derived(plan_of(1), "ones", lambda: np.ones(3)).tolist() == [1, 1, 1]
    assert cache.find(plan_of(1)) is None


def test_a_plan_is_recalled_by_the_headers_that_gave_it_while_its_volume_is_there(cache: VolumeCache) -> None:
    plan = plan_of(1)
    chosen = replace(plan, volume="echo-1")
    assert cache.recall("digest", None) is None
    volume = cache.load(plan, Fill(plan))
    cache.remember("digest", plan)
    cache.remember("digest", chosen)
    assert cache.recall("digest", None) == plan
    assert cache.recall("digest", "echo-1") == chosen
    assert cache.recall("digest", "echo-2") is None
    assert cache.recall("another digest", None) is None
    assert cache.holds(plan.fingerprint)
    del volume
    cache.purge()
    assert not cache.holds(plan.fingerprint)
    assert cache.recall("digest", None) is None


def test_another_digest_of_the_same_plan_leads_to_it_too(cache: VolumeCache) -> None:
    plan = plan_of(1)
    volume = cache.load(plan, Fill(plan))
    for digest in ("one", "two", "one"):
        cache.remember(digest, plan)
    assert cache.recall("one", None) == cache.recall("two", None) == volume.plan


def test_a_series_is_decoded_straight_into_the_cache(cache: VolumeCache) -> None:
    series = make_series(shape=(7, 20, 24), orientation="oblique", shuffled=True)
    reader = DicomSeriesReader()
    plan = reader.plan(series.headers(), None)
    volume = cache.load(plan, lambda out: reader.read(plan, series.part10(), out))
    assert np.array_equal(volume.voxels, series.voxels)


def test_the_reader_puts_the_voxels_where_it_is_told() -> None:
    series = make_series(shape=(5, 20, 24))
    reader = DicomSeriesReader()
    plan = reader.plan(series.headers(), None)
    out = np.full(plan.geometry.shape, np.nan, dtype=np.float32)
    volume = reader.read(plan, series.part10(), out)
    assert volume.voxels is out
    assert np.array_equal(out, series.voxels)


def test_memory_keeps_what_was_used_last_within_its_bytes() -> None:
    cache = MemoryVolumeCache(kept_bytes=2 * NBYTES)
    for name in (1, 2):
        cache.load(plan_of(name), Fill(plan_of(name)))
    assert cache.find(plan_of(1)) is not None
    cache.load(plan_of(3), Fill(plan_of(3)))
    assert [name for name in (1, 2, 3) if cache.holds(plan_of(name).fingerprint)] == [1, 3]
    large = plan_of(4, (40, 64, 64))
    cache.load(large, Fill(large))
    assert cache.holds(large.fingerprint), "the newest stays even if it alone is larger"
