"""Put series into the test archive, and look at what it holds."""

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


def instances_of(orthanc: OrthancServer, study_instance_uid: str, modality: str) -> list[bytes]:
    """Return every instance of that modality that the archive holds of a study, as Part 10 files."""
    with httpx.Client(base_url=orthanc.rest_url, auth=(orthanc.username, orthanc.password), timeout=60) as client:
        query = {"Level": "Instance", "Query": {"StudyInstanceUID": study_instance_uid, "Modality": modality}}
        found = client.post("/tools/find", json=query).raise_for_status().json()
        return [client.get(f"/instances/{name}/file").raise_for_status().content for name in found]
