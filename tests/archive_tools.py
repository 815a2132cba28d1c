"""Put series into the test archive."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import httpx

from delineate.demo.orthanc import OrthancServer


class Storable(Protocol):
    """A phantom series of any kind."""

    def part10(self) -> list[bytes]: ...


def store_series(orthanc: OrthancServer, *series: Storable) -> None:
    """Store every instance; Orthanc's own way, so that nothing of ours is in between."""
    store_instances(orthanc, (data for one in series for data in one.part10()))


def store_instances(orthanc: OrthancServer, instances: Iterable[bytes]) -> None:
    with httpx.Client(base_url=orthanc.rest_url, auth=(orthanc.username, orthanc.password), timeout=60) as client:
        for data in instances:
            client.post("/instances", content=data).raise_for_status()
