"""A process of its own that opens many sessions, each on its own series, and reports what memory they take.

python -m tests.idle_sessions MODEL FOLDER SESSIONS K J I MEMORY_BYTES CACHE_BYTES
"""

from __future__ import annotations

import gc
import json
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tests.engine_cases import make_volume
from tests.many_users import ROOMY, Index, SeriesShelf, click, make_host, open_on
from tests.tiny_model import LICENCE

from delineate.adapters.nninteractive.prepared import PreparedVolumes
from delineate.adapters.nninteractive.segmenter import load_segmenter
from delineate.adapters.volume_cache import FileVolumeCache
from delineate.domain.volume import VolumePlan
from delineate.usecases.host import SessionHost
from delineate.usecases.live import LiveSession

PATIENCE_S = 120.0
EVERY = 8
"""One session of so many has worked; the others were only opened."""


def anonymous_bytes() -> int:
    """Return the memory of this process that no file backs."""
    for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the kernel does not tell")


def draw(number: int, out: npt.NDArray[np.float32]) -> None:
    """Draw a bright ball in noise, another one for each series, slice by slice as an archive sends them."""
    rng = np.random.default_rng(number)
    k, j, i = out.shape
    rows, columns = np.ogrid[:j, :i]
    for n in range(k):
        out[n] = rng.standard_normal((j, i), dtype=np.float32) * 20
        out[n][(rows - j // 2) ** 2 + (columns - i // 2) ** 2 < 81 - (n - k // 2) ** 2] += 300


def plans(shape: Index, count: int) -> list[VolumePlan]:
    small = np.zeros((shape[0], 1, 1), np.float32)
    made = []
    for number in range(count):
        plan = make_volume(np.broadcast_to(small, shape), f"1.9.{number}").plan
        made.append(plan)
    return made


def work(host: SessionHost, live: LiveSession, at: Index) -> float:
    """Click, and return how long that took."""
    began = time.monotonic()
    click(host, live, at).result(PATIENCE_S)
    return time.monotonic() - began


def main(model: str, folder: str, *numbers: str) -> None:
    count, k, j, i, memory, cache_bytes = map(int, numbers)
    shape, middle = (k, j, i), (k // 2, j // 2, i // 2)
    place = Path(folder)
    cache = FileVolumeCache(place / "cache", cache_bytes)
    segmenter = load_segmenter(
        model,
        licence_accepted=LICENCE,
        data_dir=place,
        device="cpu",
        threads=1,
        prepared=PreparedVolumes(1, cache.derived),
    )
    known = plans(shape, count + 1)
    reader = SeriesShelf((plan, partial(draw, number)) for number, plan in enumerate(known))
    # as wiring.py does
    limits = replace(ROOMY, memory_bytes=max(0, memory - segmenter.working_bytes), volumes_in_memory=False)
    host = make_host(segmenter, reader, place, limits, cache=cache)
    work(host, open_on(host, "warm-up", known[-1]), middle)
    host.queue.park_idle()
    gc.collect()
    empty = anonymous_bytes()
    lives, peak = [], empty
    for number, plan in enumerate(known[:count]):
        lives.append(open_on(host, f"user {number}", plan))
        if number % EVERY == 0:
            work(host, lives[-1], middle)
        peak = max(peak, anonymous_bytes())
    parked = next(live for live in lives if live.engine is None and live.session.segment(1).revision)
    began = time.monotonic()
    host.ensure_volume(parked)
    volume_s = time.monotonic() - began
    again = work(host, parked, (middle[0], middle[1], middle[2] + 2))
    warm = work(host, parked, (middle[0], middle[1] + 2, middle[2]))
    peak = max(peak, anonymous_bytes())
    found = {
        "sessions": len(lives),
        "live": sum(live.engine is not None for live in lives),
        "peak_above_empty": peak - empty,
        "empty": empty,
        "volume_s": volume_s,
        "parked_prompt_s": again,
        "warm_prompt_s": warm,
        "voxels": parked.session.labelmap(1).count,
    }
    sys.stdout.write(json.dumps(found) + "\n")
    host.close()
    segmenter.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
