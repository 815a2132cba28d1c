"""Prometheus metrics: what was counted, and how things stand when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from delineate.usecases.meter import PromptOutcome

KINDS = ("point", "box", "scribble", "lasso", "labelmap")
OUTCOMES: tuple[PromptOutcome, ...] = ("done", "cancelled", "failed", "refused")
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
LONG_SECONDS = (0.05, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
BYTES = tuple(4.0**n for n in range(3, 13))
"""64 bytes to 16 MiB."""
PASSES = tuple(2.0**n for n in range(10))


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand in the process at one moment."""

    sessions: Mapping[str, int]
    """Of each state (loading, live, parked)."""
    running: int
    waiting: int
    """Sessions whose model runs, and that wait for that."""
    results: Mapping[str, int]
    """Accepted results that are not in the archive yet, of each state."""
    cache_volumes: int
    cache_bytes: int
    cache_budget_bytes: int | None


class PrometheusMeter:
    """Counts for one process (``usecases.meter.Meter``), in a registry of its own."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4
    """Of the exposition."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()) -> Histogram:
            return Histogram(f"delineate_{name}", text, labels, buckets=buckets, registry=self._registry)

        self._prompts = Counter(
            "delineate_prompts", "Prompts by kind and outcome.", ("kind", "outcome"), registry=self._registry
        )
        self._passes = Counter("delineate_forward_passes", "Forward passes of the network.", registry=self._registry)
        self._queue = histogram("queue_wait_seconds", "Wait of a model run's first prompt for its turn.", SECONDS)
        self._model = histogram("model_seconds", "Time in a model run, waiting between its passes included.", SECONDS)
        self._run_passes = histogram("run_passes", "Forward passes of a model run.", PASSES)
        self._patches = histogram("patch_bytes", "Voxels of a patch as they are sent.", BYTES)
        self._volumes = Counter(
            "delineate_volumes", "Volumes given to sessions, by where from.", ("source",), registry=self._registry
        )
        self._fetches = histogram("volume_fetch_seconds", "Fetching a volume from the archive.", LONG_SECONDS)
        self._preloads = histogram("preload_seconds", "Preloads, by outcome.", LONG_SECONDS, ("outcome",))
        for kind in KINDS:
            for outcome in OUTCOMES:
                self._prompts.labels(kind, outcome)
        for source in ("cache", "archive"):
            self._volumes.labels(source)
        for ended in ("ready", "failed"):
            self._preloads.labels(ended)

    def prompt_ended(self, kind: str, outcome: PromptOutcome) -> None:
        """Count a prompt of that kind."""
        self._prompts.labels(kind, outcome).inc()

    def model_ran(self, *, queue_s: float, model_s: float, passes: int) -> None:
        """Time a model run."""
        self._queue.observe(queue_s)
        self._model.observe(model_s)
        self._run_passes.observe(passes)
        self._passes.inc(passes)

    def patch_made(self, nbytes: int) -> None:
        """Note the size of a patch's voxels as they are sent."""
        self._patches.observe(nbytes)

    def volume_loaded(self, *, cached: bool, seconds: float) -> None:
        """Note that somebody was given a volume."""
        self._volumes.labels("cache" if cached else "archive").inc()
        if not cached:
            self._fetches.observe(seconds)

    def preload_ended(self, outcome: Literal["ready", "failed"], seconds: float) -> None:
        """Time a preload."""
        self._preloads.labels(outcome).observe(seconds)

    def watch(self, standing: Callable[[], Standing]) -> None:
        """Report how things stand with every exposition."""
        self._registry.register(_Gauges(standing))

    def serve(self, host: str, port: int) -> Callable[[], None]:
        """Give all metrics over HTTP, in a thread of its own; return what ends that.

        Raises
        ------
        OSError
            If that address cannot be taken.
        """
        server, thread = start_http_server(port, host, self._registry)

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return close

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _Gauges(Collector):
    """Asks how things stand at each scrape."""

    def __init__(self, standing: Callable[[], Standing]) -> None:
        self._standing = standing

    def describe(self) -> list[GaugeMetricFamily]:
        """Describe nothing ahead: registering must not ask yet."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges of this moment."""
        now = self._standing()
        yield _gauge("sessions", "Open sessions: loading, live (with an engine), parked.", now.sessions)
        yield _gauge("results_unfinished", "Accepted results on their way to the archive (outbox).", now.results)
        numbers = {
            "runs": (now.running, "Sessions whose model runs."),
            "waiting_sessions": (now.waiting, "Sessions that wait for room to run their model."),
            "cache_volumes": (now.cache_volumes, "Volumes in the cache."),
            "cache_bytes": (now.cache_bytes, "Bytes of the volume cache."),
            "cache_budget_bytes": (now.cache_budget_bytes, "Most bytes of the volume cache."),
        }
        for name, (value, text) in numbers.items():
            if value is not None:
                yield GaugeMetricFamily(f"delineate_{name}", text, value)


def _gauge(name: str, text: str, values: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"delineate_{name}", text, labels=("state",))
    for state, value in values.items():
        family.add_metric((state,), value)
    return family
