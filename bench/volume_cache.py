"""What the volume cache costs: ``python bench/volume_cache.py [FOLDER]``, at 512x512x300.

A volume is put into a new cache once. Then other processes open it, and the array that a model derived from it, and
read every voxel: their open times (median and range) and the anonymous memory that they took. No file is left behind.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from tests.cache_cases import plan_of
from tests.cache_process import anonymous_kib

from delineate.adapters.volume_cache import FileVolumeCache

SHAPE = (300, 512, 512)
BUDGET = 2 * 1024**3
OPENINGS = 15
DERIVED = "normalised"


def put(folder: Path) -> dict[str, float]:
    """Fill in a volume slice by slice, as a decoder does, and add a derived array; return the times, ms."""
    cache, plan = FileVolumeCache(folder, BUDGET), plan_of(1, SHAPE)
    values = np.random.default_rng(0).integers(-1024, 3000, SHAPE[1:]).astype(np.float32)
    filled_at = 0.0

    def fill(out: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
        nonlocal filled_at
        for k in range(SHAPE[0]):
            out[k] = values + k
        filled_at = time.perf_counter()

    begun = time.perf_counter()
    volume = cache.load(plan, fill)
    loaded = time.perf_counter()
    made = (volume.voxels[None] - 900) / 1200
    before = time.perf_counter()
    cache.derived(plan, DERIVED, lambda: made)
    return {
        "fill": (filled_at - begun) * 1e3,
        "publish": (loaded - filled_at) * 1e3,
        "add derived": (time.perf_counter() - before) * 1e3,
    }


def open_and_read(folder: Path) -> dict[str, float]:
    """Open both arrays in this process; return the times, ms, and the growth of anonymous memory, KiB."""
    plan = plan_of(1, SHAPE)
    before = anonymous_kib()
    begun = time.perf_counter()
    cache = FileVolumeCache(folder, BUDGET)
    started = time.perf_counter()
    volume = cache.find(plan)
    derived = cache.derived(plan, DERIVED, lambda: np.zeros(1))
    opened = time.perf_counter()
    if volume is None or derived.shape != (1, *SHAPE):
        raise RuntimeError("the volume is not in the cache")
    for array in (volume.voxels, derived[0]):
        for slice_ in array:
            slice_.max()
    return {
        "start the cache": (started - begun) * 1e3,
        "open both": (opened - started) * 1e3,
        "read both": (time.perf_counter() - opened) * 1e3,
        "anonymous KiB": anonymous_kib() - before,
    }


def opened_elsewhere(folder: Path) -> dict[str, float]:
    """Do ``open_and_read`` in a process of its own."""
    command = [sys.executable, __file__, "--open", str(folder)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def report(title: str, rows: Sequence[dict[str, float]]) -> None:
    """Write median and range of each figure."""
    sys.stdout.write(f"{title} (n = {len(rows)})\n")
    for name in rows[0]:
        values = [row[name] for row in rows]
        unit = "" if "KiB" in name else " ms"
        sys.stdout.write(f"  {name}: {median(values):.1f}{unit} ({min(values):.1f} .. {max(values):.1f})\n")


def main() -> None:
    """Measure and report."""
    if sys.argv[1:2] == ["--open"]:
        sys.stdout.write(json.dumps(open_and_read(Path(sys.argv[2]))))
        return
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as folder:
        report("Put into the cache", [put(Path(folder))])
        report("Opened by other processes", [opened_elsewhere(Path(folder)) for _ in range(OPENINGS)])


if __name__ == "__main__":
    main()
