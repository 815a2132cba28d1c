"""The volume cache between real processes, some of which are killed in the middle."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.cache_cases import NBYTES, Fill, bytes_below, plan_of, voxels_of
from tests.cache_process import CacheProcess, cache_processes

from delineate.adapters.volume_cache import FileVolumeCache
from delineate.domain.errors import CacheDiskFailed, CacheFull
from delineate.file_locks import shared, try_exclusive

BUDGET = 10 * (NBYTES + 2048)
KILLS = 6
LARGE = (64, 512, 512)
LARGE_KIB = 64 * 1024
SMALL_GROWTH_KIB = 4 * 1024
"""Anonymous memory that opening and reading may cost: code that is run for the first time, and one line's result."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_two_processes_that_ask_at_once_write_once(folder: Path) -> None:
    with cache_processes(2, folder, BUDGET, "load", 1) as both:
        first, second = both
        # Whoever comes second waits for the other, who pauses in the middle.
        lines = [first.says(), second.says()]
        assert sorted(lines) == [["half"], ["waiting"]]
        both[lines.index(["half"])].go_on()
        assert [first.says(), second.says()] == [["loaded", "True"], ["loaded", "True"]]
        assert FileVolumeCache(folder, BUDGET).usage().volumes == 1


def test_a_writer_that_is_killed_leaves_no_half_volume(folder: Path) -> None:
    plan = plan_of(1)
    running = FileVolumeCache(folder, BUDGET)
    with CacheProcess(folder, BUDGET, "load", 1) as writer:
        assert writer.says() == ["half"]
        assert running.usage().nbytes >= NBYTES, "its room is taken from the start"
        writer.kill()
    assert running.find(plan) is None
    assert list((folder / "writing").iterdir())
    restarted = FileVolumeCache(folder, BUDGET)
    assert restarted.usage().nbytes == 0
    assert bytes_below(folder) == 0
    assert np.array_equal(restarted.load(plan, Fill(plan)).voxels, voxels_of(plan))


def test_who_waits_for_a_killed_writer_writes_itself(folder: Path) -> None:
    with CacheProcess(folder, BUDGET, "load", 1) as writer:
        assert writer.says() == ["half"]
        with CacheProcess(folder, BUDGET, "load", 1) as other:
            assert other.says() == ["waiting"]
            writer.kill()
            assert other.says() == ["half"]
            other.go_on()
            assert other.says() == ["loaded", "True"]
            assert not list((folder / "writing").iterdir()), "the half volume is gone without a restart"


def test_a_start_leaves_a_living_writer_alone(folder: Path) -> None:
    with CacheProcess(folder, BUDGET, "load", 1) as writer:
        assert writer.says() == ["half"]
        FileVolumeCache(folder, BUDGET)
        writer.go_on()
        assert writer.says() == ["loaded", "True"]
    assert FileVolumeCache(folder, BUDGET).find(plan_of(1)) is not None


def test_a_volume_that_another_process_uses_is_not_removed(folder: Path) -> None:
    cache = FileVolumeCache(folder, NBYTES + 2048)
    with CacheProcess(folder, BUDGET, "load", 1) as user:
        assert user.says() == ["half"]
        user.go_on()
        assert user.says() == ["loaded", "True"]
        with pytest.raises(CacheFull):
            cache.load(plan_of(2), Fill(plan_of(2)))
        assert cache.purge() == 0
        user.kill()
    cache.load(plan_of(2), Fill(plan_of(2)))
    assert cache.find(plan_of(1)) is None


@pytest.mark.parametrize("seed", range(KILLS))
def test_after_kill_9_at_any_moment_every_volume_is_whole_or_absent(folder: Path, seed: int) -> None:
    randomly = random.Random(seed)  # noqa: S311
    with CacheProcess(folder, BUDGET, "churn") as writer:
        stored = [int(writer.says()[1]) for _ in range(randomly.randrange(1, 15))]
        writer.kill()
    cache = FileVolumeCache(folder, BUDGET)
    assert not list((folder / "writing").iterdir())
    assert not list((folder / "removed").iterdir())
    assert bytes_below(folder) <= BUDGET
    found = [name for name in range(stored[-1] + 1000) if (cache.find(plan_of(name))) is not None]
    assert found
    for name in found:
        volume = cache.find(plan_of(name))
        assert volume is not None
        assert np.array_equal(volume.voxels, voxels_of(plan_of(name)))
        doubled = 2 * voxels_of(plan_of(name))
        assert np.array_equal(cache.derived(plan_of(name), "doubled", doubled.copy), doubled)


def test_a_second_process_shares_the_pages(folder: Path) -> None:
    cache = FileVolumeCache(folder, 4 * LARGE_KIB * 1024)
    plan = plan_of(1, LARGE)
    volume = cache.load(plan, Fill(plan))
    doubled = cache.derived(plan, "doubled", lambda: np.asarray(2 * volume.voxels))
    with CacheProcess(folder, 4 * LARGE_KIB * 1024, "read", 1, *LARGE) as other:
        word, highest, growth = other.says()
    assert (word, float(highest)) == ("read", float(doubled.max()))
    assert int(growth) < SMALL_GROWTH_KIB, f"two volumes of {LARGE_KIB} KiB cost {growth} KiB"


def test_a_forked_child_does_not_end_its_parents_use(tmp_path: Path) -> None:
    path = tmp_path / "in-use"
    path.touch()
    held = shared(path)
    assert held is not None
    child = os.fork()
    if child == 0:
        held.release()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert try_exclusive(path) is None
    held.release()
    claimed = try_exclusive(path)
    assert claimed is not None
    claimed.release()


FULL = """
import resource, sys
from pathlib import Path
from tests.cache_cases import *
from delineate.adapters.volume_cache import FileVolumeCache
from delineate.domain.errors import CacheDiskFailed

cache = FileVolumeCache(Path(sys.argv[1]), 10**9)
cache.load(plan_of(1), Fill(plan_of(1)))
resource.setrlimit(resource.RLIMIT_FSIZE, (NBYTES // 2, resource.RLIM_INFINITY))
fill = Fill(plan_of(2))
try:
    cache.load(plan_of(2), fill)
except CacheDiskFailed as fault:
    print(fault, fill.calls, cache.usage().volumes, sep="|")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    cache.load(plan_of(2), Fill(plan_of(2)))
    print(cache.usage().volumes)
"""


def test_a_disk_that_takes_no_more_is_named_before_anything_is_fetched(folder: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(folder)], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    refusal, after = done.stdout.splitlines()
    assert refusal.endswith("|0|1")
    assert "File too large" in refusal
    assert str(folder) in refusal
    assert after == "2"
    assert not list((folder / "writing").iterdir())


def test_a_volume_larger_than_the_free_disk_is_refused_with_figures(folder: Path) -> None:
    stat = os.statvfs(folder.parent)
    slices = stat.f_bavail * stat.f_frsize // (4 * 2**24) + 2
    plan = plan_of(1, (slices, 4096, 4096))
    cache = FileVolumeCache(folder, 2**60)
    with pytest.raises(CacheDiskFailed, match="bytes free"):
        cache.load(plan, Fill(plan))
    assert bytes_below(folder) == 0
