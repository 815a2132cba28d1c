"""What preloading costs and gains, at 512x512x300 with a real Orthanc: ``python bench/preloading.py [ROUNDS]``.

In one run, with interleaved rounds: the plain WADO-RS download of the series by curl, and the same series preloaded
into an empty cache by a process of its own, both over a link of 1 Gbit/s and over loopback; then, in the running
service, how long opening the preloaded series takes, the first patch included, and what a second session on it adds to
the memory.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.archive_tools import store_series
from tests.drawing import draw
from tests.link import link_process
from tests.phantoms import PhantomSeries, make_series
from tests.service import ServiceProcess

from delineate.client import Client, ClientSession
from delineate.demo.orthanc import OrthancServer, orthanc_server

SHAPE = (300, 512, 512)
VOLUME_BYTES = 300 * 512 * 512 * 4
ORGAN = (12.0, 20.0, 20.0)
"""Half axes in voxels of what is clicked on: small, so that a patch takes few passes."""
GIGABIT = 1e9 / 8
ROUNDS = 5
OPENINGS = 7
AS_STORED = 'Accept: multipart/related; type="application/dicom"; transfer-syntax=*'


def preload_here(url: str, credentials: str, warm_up: str, wanted: str, folder: str) -> None:
    """Preload two series into an empty cache; print the seconds until the second's volume, and all, is there."""
    from delineate.adapters.dicom_series import DicomSeriesReader
    from delineate.adapters.dicomweb import DicomWebArchive
    from delineate.adapters.local_preloads import LocalPreloadRecords
    from delineate.adapters.nninteractive.prepared import PreparedVolumes
    from delineate.adapters.volume_cache import FileVolumeCache
    from delineate.domain.preload import PreloadOrder, PreloadRecord
    from delineate.domain.volume import Volume
    from delineate.usecases.preload_series import Preloader
    from delineate.usecases.volumes import VolumeShelf

    username, password = credentials.split(":", 1)
    cache, records = FileVolumeCache(Path(folder), 4 * VOLUME_BYTES), LocalPreloadRecords()
    shelf = VolumeShelf(DicomWebArchive(url, username, password), DicomSeriesReader(), cache)
    prepared = PreparedVolumes(os.cpu_count() or 1, cache.derived)
    at: list[float] = []

    def prepare(volume: Volume) -> None:
        at.append(time.perf_counter())
        prepared.get(volume)
        at.append(time.perf_counter())

    for uids in (warm_up, wanted):  # a worker has loaded its libraries long before
        order = PreloadOrder(*uids.split("/"))
        records.save(PreloadRecord(order))
        at = [time.perf_counter()]
        Preloader(shelf, records, prepare).run(order)
        record = records.load(order.series_instance_uid)
        if record is None or record.state != "ready":
            raise RuntimeError(f"not preloaded: {record}")
    sys.stdout.write(json.dumps({"volume": at[1] - at[0], "all": at[2] - at[0]}))


def download(url: str, credentials: str, series: PhantomSeries) -> float:
    """Download the series plainly; return the seconds."""
    target = f"{url}/studies/{series.study_uid}/series/{series.series_uid}"
    begun = time.perf_counter()
    command = ["curl", "--silent", "--fail", "--user", credentials, "--header", AS_STORED, "--output", "/dev/null"]
    subprocess.run([*command, target], check=True)
    return time.perf_counter() - begun


def preloaded(url: str, credentials: str, both: Sequence[PhantomSeries], folder: Path) -> dict[str, float]:
    """Preload the series in a process of its own, into an empty cache."""
    uids = [f"{series.study_uid}/{series.series_uid}" for series in both]
    command = [sys.executable, __file__, "--preload", url, credentials, *uids, folder]
    done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    shutil.rmtree(folder)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(
    name: str, url: str, archive: OrthancServer, both: Sequence[PhantomSeries], folder: Path, rounds: int
) -> None:
    """Download and preload in turn, and report the ratios."""
    credentials = f"{archive.username}:{archive.password}"
    download(url, credentials, both[1])
    plain, volume, everything = [], [], []
    for _ in range(rounds):
        plain.append(download(url, credentials, both[1]))
        found = preloaded(url, credentials, both, folder / "empty")
        volume.append(found["volume"])
        everything.append(found["all"])
    say(f"Cold preload, {name} (n = {rounds})")
    say(f"  plain WADO-RS download: {spread(plain)} s")
    for what, times in (("volume in the cache", volume), ("normalised as well", everything)):
        ratios = [t / p for t, p in zip(times, plain, strict=True)]
        say(f"  {what}: {spread(times)} s, ratio {spread(ratios)}")


def spread(values: Sequence[float]) -> str:
    """Return median and range."""
    return f"{median(values):.2f} ({min(values):.2f} .. {max(values):.2f})"


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def click(session: ClientSession, series: PhantomSeries) -> float:
    """Place the same point in a new segment; return the seconds to its patch."""
    number = session.add_segment()["number"]
    k, j, i = (n // 2 for n in SHAPE)
    drawn = draw("point", (k, j, i), 0, series.affine, series.frame_of_reference_uid, include=True)
    begun = time.perf_counter()
    session.submit(number, drawn.body)
    return time.perf_counter() - begun


def anonymous_mib(service: ServiceProcess) -> float:
    """Return the service's resident memory that no file backs."""
    if service.process is None:
        raise RuntimeError("the service does not run")
    lines = Path(f"/proc/{service.process.pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024


def openings(client: Client, service: ServiceProcess, series: PhantomSeries) -> None:
    """Open the preloaded series again and again, and report."""
    opened, first, warm = [], [], []
    for _ in range(OPENINGS):
        begun = time.perf_counter()
        session = client.open_session(series.study_uid, series.series_uid)
        opened.append(time.perf_counter() - begun)
        first.append(click(session, series))
        warm.append(click(session, series))
        session.close()
    in_all = [o + f - w for o, f, w in zip(opened, first, warm, strict=True)]
    say(f"Opening the preloaded series in the running service (n = {OPENINGS})")
    for what, times in (("open", opened), ("first patch", first), ("warm patch", warm)):
        say(f"  {what}: {spread([1000 * t for t in times])} ms")
    say(f"  open + first patch - warm patch: {spread([1000 * t for t in in_all])} ms (target: 300 ms)")
    second_session(client, service, series)


def second_session(client: Client, service: ServiceProcess, series: PhantomSeries) -> None:
    """Report what a second session on the same series adds to the service's anonymous memory."""
    sessions, levels = [], [anonymous_mib(service)]
    for _ in range(3):
        session = client.open_session(series.study_uid, series.series_uid)
        levels.append(anonymous_mib(service))
        click(session, series)
        sessions.append(session)
        levels.append(anonymous_mib(service))
    say("Anonymous memory of the service, MiB, one session after another on the same series")
    for n, session in enumerate(sessions):
        at_start, opened, used = levels[2 * n : 2 * n + 3]
        share = 100 * (opened - at_start) / (VOLUME_BYTES / 2**20)
        say(
            f"  session {n + 1}: opening {opened - at_start:+.1f} ({share:+.1f} % of the volume), "
            f"engine and first patch {used - opened:+.1f}"
        )
        session.close()


@contextmanager
def running_service(folder: Path, archive: OrthancServer) -> Iterator[ServiceProcess]:
    """Run a service with the demo model."""
    service = ServiceProcess(archive.dicomweb_url, archive.username, archive.password, folder / "data")
    service.start()
    try:
        yield service
    finally:
        service.stop()


def main() -> None:
    """Measure and report."""
    if sys.argv[1:2] == ["--preload"]:
        preload_here(*sys.argv[2:])
        return
    rounds = int(sys.argv[1]) if sys.argv[1:] else ROUNDS
    with tempfile.TemporaryDirectory() as name, orthanc_server(Path(name) / "orthanc") as archive:
        folder = Path(name)
        series = make_series(shape=SHAPE, modality="CT", half_axes=ORGAN)
        both = (make_series(shape=(8, 256, 256), modality="CT"), series)
        store_series(archive, *both)
        if rounds:
            with link_process(archive.http_port, GIGABIT) as port:
                compare("1 Gbit/s", f"http://127.0.0.1:{port}/dicom-web", archive, both, folder, rounds)
            compare("loopback", archive.dicomweb_url, archive, both, folder, rounds)
        with running_service(folder, archive) as service, service.connect() as client:
            client.preload(series.study_uid, series.series_uid)
            while client.preload_state(series.series_uid)["state"] != "ready":
                time.sleep(0.05)
            openings(client, service, series)


if __name__ == "__main__":
    main()
