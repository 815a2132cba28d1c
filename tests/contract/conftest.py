"""What several modules need beside the shared archive and services: a real Redis, a client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.redis_server import RedisServer, redis_server
from tests.service import ServiceProcess

from delineate.client import Client


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


@pytest.fixture(scope="module")
def client(tiny_service: ServiceProcess) -> Iterator[Client]:
    """Return a client of the service with the tiny model."""
    with tiny_service.connect() as client:
        yield client
