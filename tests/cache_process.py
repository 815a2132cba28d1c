"""A process that uses a volume cache, for tests that kill it: ``python -m tests.cache_process FOLDER BUDGET VERB ...``.

It says what it does, a line each, and goes on where it pauses when a line comes in.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np
from tests.cache_cases import Fill, Voxels, plan_of, voxels_of

from delineate.adapters.volume_cache import FileVolumeCache


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def pause() -> None:
    sys.stdin.readline()


def anonymous_kib() -> int:
    """Return this process's resident memory that no file backs, KiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


def load(cache: FileVolumeCache, name: int, *shape: int) -> None:
    """Load a volume; pause when half of it is written, and when it is loaded."""
    plan = plan_of(name, (shape[0], shape[1], shape[2]) if shape else (4, 64, 64))

    def during(out: Voxels) -> None:
        half = out.shape[0] // 2
        out[:half] = voxels_of(plan)[:half]
        say("half")
        pause()

    volume = cache.load(plan, Fill(plan, during), Once("waiting"))
    say("loaded", np.array_equal(volume.voxels, voxels_of(plan)))
    pause()
    del volume


class Once:
    """Says a word the first time that it is called."""

    def __init__(self, word: str) -> None:
        self._word: str | None = word

    def __call__(self) -> None:
        if self._word:
            say(self._word)
            self._word = None


def read(cache: FileVolumeCache, name: int, *shape: int) -> None:
    """Open a volume and a derived array, touch every voxel, and say by how much the memory grew."""
    plan = plan_of(name, (shape[0], shape[1], shape[2]))
    before = anonymous_kib()
    volume = cache.find(plan)
    if volume is None:
        raise SystemExit("not there")
    derived = cache.derived(plan, "doubled", Exception)  # type: ignore[arg-type]  # is there already
    highest = [float(array[k].max()) for array in (volume.voxels, derived) for k in range(len(array))]
    say("read", max(highest), anonymous_kib() - before)


def churn(cache: FileVolumeCache, *_: int) -> None:
    """Write one volume and one derived array after another, until killed."""
    for name in range(1_000_000):
        volume = cache.load(plan_of(name), Fill(plan_of(name)))
        cache.derived(plan_of(name), "doubled", (2 * volume.voxels).copy)
        say("stored", name)


class CacheProcess:
    """Such a process, as the test sees it."""

    def __init__(self, folder: Path, budget: int, verb: str, *numbers: int) -> None:
        command = [sys.executable, "-m", "tests.cache_process", folder, budget, verb, *numbers]
        self._process = subprocess.Popen(
            [str(word) for word in command],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def says(self) -> list[str]:
        """Return the words of its next line."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().split()

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """End it with SIGKILL, unless it has ended."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def cache_processes(count: int, folder: Path, budget: int, verb: str, *numbers: int) -> Iterator[list[CacheProcess]]:
    """Start several that do the same."""
    processes = [CacheProcess(folder, budget, verb, *numbers) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()


VERBS = {verb.__name__: verb for verb in (load, read, churn)}

if __name__ == "__main__":
    VERBS[sys.argv[3]](FileVolumeCache(Path(sys.argv[1]), int(sys.argv[2])), *map(int, sys.argv[4:]))
