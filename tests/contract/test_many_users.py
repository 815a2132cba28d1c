"""Many users on one model: nobody fails, everybody gets the same share of the device, and waits no longer than due."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from tests.conftest import FIGURES
from tests.engine_cases import elongated, scene
from tests.many_users import ROOMY, DeviceLog, Runs, SeriesShelf, Worker, click, make_host, open_on
from tests.tiny_model import LICENCE

from delineate.adapters.nninteractive.segmenter import NnInteractiveSegmenter, load_segmenter
from delineate.domain.volume import Volume
from delineate.usecases.host import SessionHost
from delineate.usecases.undo import undo

USERS = 30
SMALL = (40, 48, 56)
BALL = (20, 24, 28)
LONG = (64, 160, 160)
"""Larger than the model's patch on two axes: an object through it takes many passes."""
PATIENCE_S = 120.0
WORST_SHARE = 0.2
"""How far a user's share of passes may be from the mean."""


@pytest.fixture
def segmenter(tiny_model: Path, tmp_path: Path) -> Iterator[NnInteractiveSegmenter]:
    segmenter = load_segmenter(str(tiny_model), licence_accepted=LICENCE, data_dir=tmp_path, device="cpu", threads=1)
    yield segmenter
    segmenter.close()


def fill(volume: Volume, out: npt.NDArray[np.float32]) -> None:
    out[...] = volume.voxels


@pytest.fixture
def host(segmenter: NnInteractiveSegmenter, tmp_path: Path) -> Iterator[SessionHost]:
    small, large = scene(SMALL, [(BALL, 9)]), elongated(LONG, (16, 70, 70))
    reader = SeriesShelf((volume.plan, partial(fill, volume)) for volume in (small, large))
    host = make_host(segmenter, reader, tmp_path, ROOMY)
    host.small, host.large = small.plan, large.plan  # type: ignore[attr-defined]
    yield host
    host.close()
    host.journal.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("rounds", [8, pytest.param(40, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_thirty_users_get_equal_shares_while_one_runs_a_large_object_all_the_time(
    host: SessionHost, segmenter: NnInteractiveSegmenter, rounds: int, record_property: Callable[[str, object], None]
) -> None:
    log, stop = DeviceLog(), threading.Event()
    log.watch(segmenter)
    heavy = open_on(host, "heavy", host.large)  # type: ignore[attr-defined]
    users = [open_on(host, f"user {n}", host.small) for n in range(USERS - 1)]  # type: ignore[attr-defined]
    middle = tuple(n // 2 for n in LONG)
    workers = [Worker(host, heavy, [middle], stop)]  # type: ignore[list-item]
    workers += [Worker(host, live, [BALL, (18, 22, 30), (22, 26, 26)], stop) for live in users]
    for worker in workers:
        worker.start()
    begin = settled(log, workers)
    while min(log.shares(begin, time.monotonic()).values(), default=0) < rounds and not failed(workers):
        assert time.monotonic() - begin < PATIENCE_S * rounds / 8
        time.sleep(0.05)
    end = time.monotonic()
    stop.set()
    undo(host, heavy, 1, "end", "d")  # takes back the prompt that still runs
    for worker in workers:
        worker.join(PATIENCE_S)
    assert [worker.fault for worker in workers if worker.fault] == []
    record_property(FIGURES, report(log, workers, begin, end))
    shares = log.shares(begin, end)
    mean = shares.total() / USERS
    assert len(shares) == USERS
    assert all(abs(count - mean) <= WORST_SHARE * mean + 1 for count in shares.values()), shares  # one may be cut off


def settled(log: DeviceLog, workers: list[Worker]) -> float:
    """Wait until everybody has had a pass and has got an answer, except for the large object."""
    begun = time.monotonic()
    while not all(worker.answers for worker in workers[1:]) or len(log.shares(0, 1e99)) < USERS:
        assert not failed(workers)
        assert time.monotonic() - begun < PATIENCE_S
        time.sleep(0.05)
    return time.monotonic()


def failed(workers: list[Worker]) -> bool:
    return any(worker.fault for worker in workers)


def report(log: DeviceLog, workers: list[Worker], begin: float, end: float) -> str:
    """Return shares, and how long clicks waited against the ideal, in words."""
    passes = log.within(begin, end)
    shares = log.shares(begin, end)
    pass_s = statistics.median(stop - start for _, start, stop in passes)
    cycle_s = (end - begin) / len(passes)
    waits = [done - sent for worker in workers[1:] for sent, done in worker.answers if sent >= begin and done <= end]
    ideal = USERS * pass_s
    mean = len(passes) / USERS
    return (
        f"{USERS} users, {end - begin:.1f} s, {len(passes)} passes of {pass_s * 1000:.0f} ms "
        f"({cycle_s * 1000:.0f} ms from one to the next); shares {min(shares.values()) / mean:.2f} to "
        f"{max(shares.values()) / mean:.2f} of the mean, large object {shares['heavy'] / mean:.2f}; "
        f"{len(waits)} clicks waited {statistics.median(waits):.2f} s, "
        f"95th percentile {statistics.quantiles(waits, n=20)[18]:.2f} s, ideal {ideal:.2f} s "
        f"(median {statistics.median(waits) / ideal:.2f} x)"
    )


def test_ten_quick_prompts_in_one_crop_cost_two_runs(host: SessionHost) -> None:
    meter = Runs()
    host.meter = meter
    live = open_on(host, "ada", host.small)  # type: ignore[attr-defined]
    futures = [click(host, live, (20, 24, 22 + n)) for n in range(10)]
    changes = [future.result(PATIENCE_S) for future in futures]
    assert len({change.revision for change in changes}) <= 2
    assert meter.count <= 2
    assert len(live.session.segment(1).applied) == 10
