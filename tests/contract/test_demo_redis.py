"""`make demo REDIS=1`: the same demo, with everything that must outlive the service in a Redis of its own."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from redis import Redis
from tests.archive_tools import instances_of
from tests.e2e.demo_process import DemoProcess, running

from delineate.demo import sample
from delineate.demo.processes import free_port, is_port_free
from delineate.demo.redis import RedisServer

pytestmark = pytest.mark.timeout(900)


def test_the_demo_keeps_its_sessions_in_redis_and_goes_on_with_them(tmp_path: Path) -> None:
    demo = DemoProcess(tmp_path / "demo", redis_port=free_port())
    try:
        said = demo.start()
        assert "Starting Redis ..." in said
        assert len(instances_of(demo.archive, sample.STUDY_INSTANCE_UID, "SEG")) == 1
        assert not list((demo.state / "service").glob("journal.sqlite3*"))
        left = open_session(demo)
        assert f"delineate:session:{left}" in sessions_in_redis(demo)
        started = demo.descendants()
        assert demo.interrupt() == 0
        assert not running(started)
        assert is_port_free(demo.redis_port or 0)
        assert "Starting Redis ..." in demo.start()
        reply = httpx.get(f"http://127.0.0.1:{demo.port}/delineate/sessions/{left}", timeout=60.0)
        assert reply.json()["state"] == "ready"
    finally:
        demo.stop()


def open_session(demo: DemoProcess) -> str:
    """Open a session on the sample, through the gateway, and return its id."""
    body = {
        "study_instance_uid": str(sample.STUDY_INSTANCE_UID),
        "series_instance_uid": str(sample.SERIES_INSTANCE_UID),
    }
    reply = httpx.post(f"http://127.0.0.1:{demo.port}/delineate/sessions?wait=true", json=body, timeout=300.0)
    opened: str = reply.raise_for_status().json()["id"]
    return opened


def sessions_in_redis(demo: DemoProcess) -> list[str]:
    password = (demo.state / "redis-password").read_text()
    with Redis.from_url(RedisServer(demo.state / "redis", demo.redis_port or 0, password).url) as client:
        return [name.decode() for name in client.keys("delineate:session:*")]
