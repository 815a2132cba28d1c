"""A client that goes on while parts of the service are killed: it repeats what may pass, as the viewer does."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from delineate.client import Client, ServiceError

T = TypeVar("T")
PASSING = (502, 503, 504)
PAUSE_S = 0.05


def patiently(action: Callable[[], T], within_s: float = 120.0) -> T:
    """Repeat what fails for now, and return what it returns at last."""
    end = time.monotonic() + within_s
    while True:
        try:
            return action()
        except httpx.TransportError:
            if time.monotonic() > end:
                raise
        except ServiceError as error:
            if error.problem.get("status") not in PASSING or time.monotonic() > end:
                raise
        time.sleep(PAUSE_S)


def request(client: Client, method: str, path: str, body: dict[str, Any] | None = None, **options: Any) -> Any:
    """Send one request, with one key, until it is answered."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    return patiently(lambda: client.call(method, path, body, headers=headers, **options))
