"""Users at work while parts of the service are killed with -9: nothing is lost, stored twice or stuck.

Two processes of the service behind the gateway, a worker, a Redis, an Orthanc: all real, all killed at random moments.
Each session follows a script, and has to show after every step what an undisturbed session showed.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from highdicom.seg import Segmentation
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from tests.archive_tools import instances_of, store_series
from tests.conftest import FIGURES, tiny_service_in
from tests.phantoms import make_series
from tests.redis_server import RedisServer, redis_server
from tests.scripted import SEGMENTS, Run, Script, equal, is_stored, write_script
from tests.service import ServiceProcess
from tests.worker import WorkerProcess

from delineate.adapters.redis_journal import Connection, RedisJournal
from delineate.client import Client
from delineate.demo.gateway import Gateway
from delineate.demo.orthanc import OrthancServer, orthanc_server
from delineate.demo.processes import free_port
from delineate.domain.labelmap import Labelmap

LEASE_S = 2.0
STUCK_S = 120.0
"""No step, result or start takes so long, whatever is killed."""
AWAY_S = (0.0, 0.5)
"""How long something is left dead."""
AT_ONCE = 0.3
"""How often two parts are killed at one moment."""


@dataclass
class Stage:
    """What is killed, and the address that users have."""

    services: list[ServiceProcess]
    worker: WorkerProcess
    redis: RedisServer
    orthanc: OrthancServer
    gateway: Gateway
    kills: Counter[str] = field(default_factory=Counter)

    def kill(self, names: list[str], away_s: float) -> None:
        """Kill some of the parts at one moment, and start them again after a while."""
        parts = [self._part(name) for name in names]
        for kill, _ in parts:
            kill()
        self.kills.update(names)
        time.sleep(away_s)
        for _, start in parts:
            start()

    def _part(self, name: str) -> tuple[Callable[[], None], Callable[[], None]]:
        """Return how a part is killed, and how it is started."""
        match name:
            case "redis":
                return self.redis.kill, self.redis.start
            case "orthanc":
                return self.orthanc.server.kill, self.orthanc.start
            case "worker":
                return self.worker.kill, self.worker.start
            case _:
                service = self.services[int(name.removeprefix("service "))]
                return service.kill, service.start


@contextmanager
def stage_in(folder: Path, model: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(folder / "redis"))
        orthanc = stack.enter_context(orthanc_server(folder / "orthanc"))
        settings = {"DELINEATE_REDIS_URL": redis.url, "DELINEATE_LEASE_S": str(LEASE_S)}
        services = []
        for number in range(2):
            (folder / f"service{number}").mkdir()
            service = tiny_service_in(folder / f"service{number}", orthanc, model, **settings)
            stack.callback(service.stop)
            service.launch()
            services.append(service)
        viewer = folder / "viewer"
        viewer.mkdir()
        gateway = Gateway(
            folder / "gateway",
            free_port(),
            orthanc.http_port,
            orthanc.username,
            orthanc.password,
            services[0].port,
            viewer,
            more_service_ports=(services[1].port,),
        )
        (viewer / "index.html").write_text("")
        stack.enter_context(gateway)
        for service in services:
            service.await_live()
        worker = WorkerProcess(services[0])
        worker.start()
        stack.callback(worker.stop)
        yield Stage(services, worker, redis, orthanc, gateway)


class Users:
    """Sessions that follow scripts in threads, some at a time, until enough are done and told to stop."""

    def __init__(self, url: str, scripts: list[Script], *, sessions: int, at_once: int) -> None:
        self._url = url
        self._scripts = itertools.cycle(scripts)
        self._left = sessions
        self._guard = threading.Lock()
        self.runs: list[Run] = []
        self.enough = threading.Event()
        self._pool = ThreadPoolExecutor(at_once)
        self._workers = [self._pool.submit(self._work) for _ in range(at_once)]

    def _work(self) -> None:
        with Client(self._url, timeout_s=STUCK_S) as client:
            while (run := self._next()) is not None:
                run.go(client)

    def _next(self) -> Run | None:
        with self._guard:
            if self._left <= 0 and self.enough.is_set():
                return None
            self._left -= 1
            self.runs.append(Run(next(self._scripts)))
            return self.runs[-1]

    def await_progress(self) -> None:
        """Wait until everybody has got an answer since now, so that no prompt is ever in its run at two kills."""
        began = {id(run): run.done for run in self.runs}
        waiting = [run for run in self.runs if not run.ended.is_set()]
        end = time.monotonic() + STUCK_S
        for run in waiting:
            while run.done == began[id(run)] and not run.ended.wait(0.02):
                assert time.monotonic() < end, f"stuck after step {run.done} of {run.path}"

    def join(self) -> None:
        """Wait until all are done; what failed in one of them is raised."""
        for worker in self._workers:
            worker.result()
        self._pool.shutdown()


def check_under_kills(
    folder: Path, model: Path, *, sessions: int, at_once: int, kills: int, steps: int, seed: int
) -> str:
    """Let users work while parts are killed, check everything, and return the counts in words."""
    chance = random.Random(seed)  # noqa: S311
    with stage_in(folder, model) as stage:
        scripts = []
        for number in range(4):
            series = make_series(shape=(18, 32, 36), orientation=("axial", "oblique")[number % 2], modality="MR")
            store_series(stage.orthanc, series)
            scripts.append(write_script(series, seed + number, steps))
        undisturbed = {}
        with Client(stage.gateway.url) as client:
            for script in scripts:
                undisturbed[script] = Run(script)
                undisturbed[script].go(client)
        users = Users(stage.gateway.url, scripts, sessions=sessions, at_once=at_once)
        parts = ["service 0", "service 1", "worker", "redis", "orthanc"]
        order = [name for _ in range(-(-kills // len(parts))) for name in chance.sample(parts, len(parts))][:kills]
        while order:
            together = [order.pop() for _ in range(min(len(order), 1 + (chance.random() < AT_ONCE)))]
            time.sleep(chance.uniform(0.2, 2.0))
            stage.kill(together, chance.uniform(*AWAY_S))
            users.await_progress()
        users.enough.set()
        users.join()
        return report(stage, users.runs, undisturbed)


def report(stage: Stage, runs: list[Run], undisturbed: dict[Script, Run]) -> str:
    """Compare every session with the undisturbed one, and the archive with what was accepted."""
    lost = duplicated = 0
    every = [*runs, *undisturbed.values()]
    with Client(stage.gateway.url) as client:
        for run in runs:
            expected = undisturbed[run.script]
            assert run.done == len(run.script.steps)
            lost += sum(not equal(a, b) for a, b in zip(run.seen, expected.seen, strict=True))
            lost += not equal(run.seen[-1], {n: run.labelmap(client, n) for n in SEGMENTS})
            state = client.call("GET", run.path)
            assert [s["pending_prompt_ids"] for s in state["segments"]] == [[], []]
        end = time.monotonic() + STUCK_S
        for run in every:
            for result_id, _ in run.results:
                while not is_stored(client, result_id):
                    assert time.monotonic() < end, f"stuck: {client.result(result_id)}"
                    time.sleep(0.05)
        for series in {run.script.series.study_uid: run.script.series for run in every}.values():
            held = segmentations(stage.orthanc, series.study_uid)
            here = [run for run in every if run.script.series.study_uid == series.study_uid]
            for run in here:
                for result_id, accepted in run.results:
                    found = held.pop(client.result(result_id)["sop_instance_uid"], [])
                    lost += not found
                    duplicated += max(0, len(found) - 1)
                    lost += any(not equal(voxels_of(seg, run.script), accepted) for seg in found)
            duplicated += len(held)
    connection = Connection(stage.redis.url)
    assert RedisJournal(connection).unfinished() == []
    connection.close()
    prompts, accepts = sum(run.prompts for run in runs), sum(len(run.results) for run in runs)
    counts = ", ".join(f"{name} {count}" for name, count in sorted(stage.kills.items()))
    words = (
        f"{stage.kills.total()} kills ({counts}), {len(runs)} sessions, {prompts} prompts, {accepts} accepted: "
        f"lost={lost}, duplicated={duplicated}"
    )
    assert (lost, duplicated) == (0, 0), words
    return words


def segmentations(orthanc: OrthancServer, study_uid: str) -> dict[str, list[Segmentation]]:
    """Return every SEG of a study in the archive by its SOP Instance UID, as often as it is there."""
    found: dict[str, list[Segmentation]] = {}
    for part10 in instances_of(orthanc, study_uid, "SEG"):
        dataset = dcmread(DicomBytesIO(part10))
        found.setdefault(dataset.SOPInstanceUID, []).append(Segmentation.from_dataset(dataset))
    return found


def voxels_of(seg: Segmentation, script: Script) -> dict[int, Labelmap]:
    """Return the labelmaps of a stored SEG by the source images that its frames reference."""
    uids = [uid for uid, _ in script.series.slices]
    pixels = seg.get_pixels_by_source_instance(
        uids, segment_numbers=SEGMENTS, assert_missing_frames_are_empty=True, ignore_spatial_locations=True
    )
    return {n: Labelmap.from_array(np.asarray(pixels[..., n - 1] != 0)) for n in SEGMENTS}


@pytest.mark.timeout(900)
def test_nothing_is_lost_when_parts_are_killed(
    tiny_model: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property(FIGURES, check_under_kills(tmp_path, tiny_model, sessions=6, at_once=2, kills=5, steps=10, seed=1))


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_fifty_sessions_under_a_hundred_kills(
    tiny_model: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    record_property(
        FIGURES, check_under_kills(tmp_path, tiny_model, sessions=50, at_once=4, kills=100, steps=20, seed=2)
    )
