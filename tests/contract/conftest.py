"""A real Redis for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.redis_server import RedisServer, redis_server


@pytest.fixture(scope="module")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return a running Redis."""
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(redis_process: RedisServer) -> RedisServer:
    """Return the module's Redis, empty."""
    redis_process.clear()
    return redis_process
