"""The volume cache on disk: its budget, what it removes first, what it makes of damage, and what it lets go of."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.cache_cases import NBYTES, Fill, Voxels, bytes_below, plan_of, voxels_of

from delineate.adapters.volume_cache import FileVolumeCache
from delineate.domain.errors import CacheFull
from delineate.domain.volume import VolumePlan

TEN = 10 * (NBYTES + 2048)
"""Budget for ten volumes and what is written beside them."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def stored(cache: FileVolumeCache, plan: VolumePlan) -> bool:
    """Tell whether a volume is there, without a view of it staying behind."""
    return cache.find(plan) is not None


def put(cache: FileVolumeCache, *names: int) -> None:
    for name in names:
        cache.load(plan_of(name), Fill(plan_of(name)))


def file_of(folder: Path, plan: VolumePlan, name: str) -> Path:
    return folder / "entries" / plan.fingerprint / name


def test_fifty_volumes_stay_in_the_budget(folder: Path) -> None:
    cache = FileVolumeCache(folder, TEN)
    for name in range(50):
        put(cache, name)
        assert bytes_below(folder) <= TEN
        assert cache.usage().nbytes == bytes_below(folder)
    assert [name for name in range(50) if stored(cache, plan_of(name))] == list(range(40, 50))


def test_derived_arrays_count(folder: Path) -> None:
    cache = FileVolumeCache(folder, TEN)
    put(cache, *range(10))
    volume = cache.find(plan_of(9))
    assert volume is not None
    derived = cache.derived(plan_of(9), "doubled", lambda: np.asarray(2 * volume.voxels))
    assert bytes_below(folder) <= TEN
    assert np.array_equal(derived, 2 * voxels_of(plan_of(9)))
    assert not stored(cache, plan_of(0))
    assert stored(cache, plan_of(9))


def test_the_least_recently_used_goes_first(folder: Path) -> None:
    cache = FileVolumeCache(folder, TEN)
    put(cache, *range(10))
    assert stored(cache, plan_of(0))
    put(cache, 2)  # there already: a use like any other
    put(cache, 10, 11)
    gone = [name for name in range(12) if not stored(FileVolumeCache(folder, TEN), plan_of(name))]
    assert gone == [1, 3]


def test_the_order_of_use_survives_a_restart(folder: Path) -> None:
    first = FileVolumeCache(folder, TEN)
    put(first, *range(10))
    assert stored(first, plan_of(0))
    second = FileVolumeCache(folder, TEN)
    put(second, 10)
    assert stored(second, plan_of(0))
    assert not stored(second, plan_of(1))


def test_a_volume_in_use_is_never_removed(folder: Path) -> None:
    cache = FileVolumeCache(folder, TEN)
    first = cache.load(plan_of(0), Fill(plan_of(0)))
    view = first.voxels[1, ::2]
    del first
    for name in range(1, 40):
        put(cache, name)
    assert np.array_equal(view, voxels_of(plan_of(0))[1, ::2])
    assert stored(cache, plan_of(0))
    del view
    gc.collect()
    put(cache, *range(40, 50))
    assert not stored(cache, plan_of(0))


def test_when_all_are_in_use_the_next_is_refused_and_none_is_lost(folder: Path) -> None:
    cache = FileVolumeCache(folder, TEN)
    held = [cache.load(plan_of(name), Fill(plan_of(name))) for name in range(9)]
    put(cache, 9)
    with pytest.raises(CacheFull, match="DELINEATE_CACHE_BYTES"):
        cache.load(plan_of(99, (8, 64, 64)), Fill(plan_of(99, (8, 64, 64))))
    assert all(stored(cache, plan_of(name)) for name in range(10)), "removed in vain"
    assert cache.usage().volumes == 10
    held.pop()
    put(cache, 10)


def test_a_volume_larger_than_the_whole_budget_is_refused_and_none_is_removed(folder: Path) -> None:
    cache = FileVolumeCache(folder, TEN)
    put(cache, 0, 1)
    large = plan_of(2, (44, 64, 64))
    with pytest.raises(CacheFull, match="Have the administrator raise"):
        cache.load(large, Fill(large))
    assert cache.usage().volumes == 2


def test_what_is_derived_finds_no_room_and_is_used_from_memory(folder: Path) -> None:
    cache = FileVolumeCache(folder, NBYTES + 2048)
    volume = cache.load(plan_of(0), Fill(plan_of(0)))
    derived = cache.derived(plan_of(0), "doubled", lambda: np.asarray(2 * volume.voxels))
    assert np.array_equal(derived, 2 * voxels_of(plan_of(0)))
    assert not derived.flags.writeable
    assert bytes_below(folder) <= NBYTES + 2048


def test_purge_removes_what_nobody_uses(folder: Path) -> None:
    cache = FileVolumeCache(folder, TEN)
    put(cache, 0, 1)
    held = cache.load(plan_of(2), Fill(plan_of(2)))
    assert cache.purge(unused_for_s=3600) == 0
    assert cache.purge() == 2
    assert cache.usage().volumes == 1
    assert np.array_equal(held.voxels, voxels_of(plan_of(2)))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def lengthen(path: Path) -> None:
    os.truncate(path, path.stat().st_size + 4096)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def empty(path: Path) -> None:
    os.truncate(path, 0)


DAMAGE: list[tuple[str, Callable[[Path], None]]] = [
    ("voxels.array", cut),
    ("voxels.array", lengthen),
    ("voxels.array", empty),
    ("voxels.array", Path.unlink),
    ("manifest", cut),
    ("manifest", flip),
    ("manifest", empty),
    ("manifest", Path.unlink),
    ("in-use", Path.unlink),
]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(("file", "damage"), DAMAGE)
def test_a_damaged_volume_is_noticed_and_fetched_again(
    folder: Path, file: str, damage: Callable[[Path], None], *, restart: bool
) -> None:
    plan = plan_of(1)
    cache = FileVolumeCache(folder, TEN)
    put(cache, 1, 2)
    damage(file_of(folder, plan, file))
    cache = FileVolumeCache(folder, TEN) if restart else cache
    if file != "in-use" or not restart:  # a missing lock file alone is put back at the start
        assert cache.find(plan) is None
    fill = Fill(plan)
    assert np.array_equal(cache.load(plan, fill).voxels, voxels_of(plan))
    assert fill.calls == (0 if file == "in-use" and restart else 1)
    assert np.array_equal(cache.load(plan_of(2), Fill(plan_of(2))).voxels, voxels_of(plan_of(2)))
    assert cache.usage().volumes == 2
    assert not list((folder / "removed").iterdir())


def test_the_entry_of_another_plan_is_not_taken(folder: Path) -> None:
    cache = FileVolumeCache(folder, TEN)
    put(cache, 1)
    (folder / "entries" / plan_of(1).fingerprint).rename(folder / "entries" / plan_of(2).fingerprint)
    assert cache.find(plan_of(2)) is None


def test_half_an_array_is_not_taken_and_is_removed_at_the_start(folder: Path) -> None:
    plan = plan_of(1)
    cache = FileVolumeCache(folder, TEN)
    put(cache, 1)
    half = file_of(folder, plan, "doubled.array")
    half.write_bytes(bytes(1000))
    volume = cache.load(plan, Fill(plan))
    doubled = 2 * volume.voxels
    assert np.array_equal(cache.derived(plan, "doubled", lambda: doubled), doubled)
    stray = file_of(folder, plan, "tripled.array")
    stray.write_bytes(bytes(1000))
    FileVolumeCache(folder, TEN)
    assert stray.exists(), "the entry is in use"
    del volume
    FileVolumeCache(folder, TEN)
    assert not stray.exists()
    assert half.stat().st_size == NBYTES


def test_who_ignores_that_the_voxels_are_read_only_changes_no_file(folder: Path) -> None:
    plan = plan_of(1)
    cache = FileVolumeCache(folder, TEN)
    volume = cache.load(plan, Fill(plan))
    rude = volume.voxels.view()
    rude.setflags(write=True)
    rude[...] = -1
    found = cache.find(plan)
    assert found is not None
    assert np.array_equal(found.voxels, voxels_of(plan))


def test_only_the_owner_can_read_it(folder: Path) -> None:
    cache = FileVolumeCache(folder, TEN)
    put(cache, 1)
    assert folder.stat().st_mode & 0o077 == 0
    assert file_of(folder, plan_of(1), "voxels.array").stat().st_mode & 0o077 == 0


def test_no_lock_file_and_no_open_file_stays_behind(folder: Path) -> None:
    cache = FileVolumeCache(folder, TEN)
    put(cache, 1)
    before = open_files()
    for name in range(30):
        put(cache, name)
        with pytest.raises(ZeroDivisionError):
            cache.load(plan_of(100), Fill(plan_of(100), divide))
    gc.collect()
    assert open_files() == before
    assert not list((folder / "locks").iterdir())
    assert not list((folder / "writing").iterdir())


def divide(_out: Voxels) -> None:
    _ = 1 / 0


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
