"""What the journal and the leases cost: SQLite beside a Redis with the configuration that we ship, in one run.

.venv/bin/python bench/journals.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from redis import Redis
from tests.redis_server import redis_server

from delineate.adapters.redis_journal import Connection, RedisJournal, RedisLeases
from delineate.adapters.sqlite_journal import SqliteJournal
from delineate.domain.ports import Journal, Leases
from delineate.domain.session import Entry

STEP_BYTES = 20_000
"""A labelmap of some 10^5 voxels, as the journal keeps it."""
SESSIONS = 1000
PAIRS = 200
RENEWALS_S = 10.0


def step(rng: np.random.Generator) -> Entry:
    """Return an entry of a step's size."""
    return Entry(
        "step", time.time(), {"segment": 1, "prompt_ids": ["x" * 36], "box": [[0, 9]] * 3}, rng.bytes(STEP_BYTES)
    )


def milliseconds(action: Callable[..., object], *arguments: object, **options: object) -> float:
    """Return how long it took."""
    began = time.perf_counter()
    action(*arguments, **options)
    return (time.perf_counter() - began) * 1000


def say(what: str, value: float, unit: str = "ms") -> None:
    """Print one figure."""
    sys.stdout.write(f"{what:<58} {value:9.2f} {unit}\n")


def of_journals(sqlite: Journal, redis: Journal, leases: Leases) -> None:
    """Measure appends in pairs, and reads."""
    rng = np.random.default_rng(0)
    lease = leases.acquire("s")
    took: dict[str, list[float]] = {"sqlite": [], "redis": []}
    for _ in range(PAIRS):
        entries = [step(rng)]
        took["sqlite"].append(milliseconds(sqlite.append, "s", entries))
        took["redis"].append(milliseconds(redis.append, "s", entries, epoch=lease.epoch))
    for kind, times in took.items():
        say(f"append a step of {STEP_BYTES // 1000} kB, {kind}", median(times))
    for kind, journal in (("sqlite", sqlite), ("redis", redis)):
        say(f"read a session of {PAIRS} steps, {kind}", median(milliseconds(journal.read, "s") for _ in range(5)))


def of_leases(leases: Leases, client: Redis) -> None:
    """Measure taking, holding and renewing."""
    lease = leases.acquire("s")
    say("ask whether a lease is held", median(milliseconds(leases.held, lease) for _ in range(1000)))
    say("take a session", median(milliseconds(leases.acquire, f"t{n}") for n in range(SESSIONS)))
    say("memory of Redis for a step", (client.memory_usage("delineate:session:s") or 0) / PAIRS / 1000, "kB")
    before = client.info("commandstats")["cmdstat_evalsha"]["usec"]
    time.sleep(RENEWALS_S)
    spent_s = (client.info("commandstats")["cmdstat_evalsha"]["usec"] - before) / 1e6
    say(f"Redis's time for the leases of {SESSIONS} sessions", 100 * spent_s / RENEWALS_S, "% of a core")


def main() -> None:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory() as name,
        redis_server(Path(name) / "redis") as server,
        closing(SqliteJournal(Path(name) / "sqlite")) as sqlite,
        closing(Connection(server.url)) as connection,
        closing(RedisLeases(connection)) as leases,
        Redis.from_url(server.url) as client,
    ):
        of_journals(sqlite, RedisJournal(connection), leases)
        of_leases(leases, client)


if __name__ == "__main__":
    main()
