"""`make bench`: Delineate through HTTP against the bare nnInteractive session, in one run, in interleaved pairs.

Both get the same image, the same prompts in the same order and the same seeds; in the end their labelmaps are compared.
Figures are ratios of the same moment, so that they hold on a noisy machine; absolute times are this machine's.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median, stdev
from typing import Annotated, Any

import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.archive_tools import store_series
from tests.bare_session import Artifacts, BareSession, load_artifacts
from tests.drawing import Drawn, draw
from tests.phantoms import PhantomSeries, make_series
from tests.service import ServiceProcess

from delineate.client import Client, ClientSession
from delineate.demo.orthanc import OrthancServer, orthanc_server
from delineate.domain.session import step_seed

ROOT = Path(__file__).parents[1]
DEMO_MODEL = ROOT / "service" / "delineate" / "demo_model"
SIZES = {
    "64x64x32": (32, 64, 64),
    "128x128x65": (65, 128, 128),
    "256x256x130": (130, 256, 256),
    "512x512x300": (300, 512, 512),
}
KINDS = ("point", "box", "scribble", "lasso")
TOKENS = {"Bench^Ada": "token of the benchmark, Ada", "Bench^Eve": "token of the benchmark, Eve"}
CLICKS = 5


@dataclass
class Row:
    """One size and kind."""

    size: str
    kind: str
    bare_ms: list[float] = field(default_factory=list)
    model_ms: list[float] = field(default_factory=list)
    total_ms: list[float] = field(default_factory=list)
    up: list[int] = field(default_factory=list)
    down: list[int] = field(default_factory=list)
    equal: bool = False

    @property
    def ratio(self) -> float:
        """Median of the pairs' ratios."""
        return median(t / b for t, b in zip(self.total_ms, self.bare_ms, strict=True))

    @property
    def extra_ms(self) -> float:
        """Median of the pairs' differences."""
        return median(t - b for t, b in zip(self.total_ms, self.bare_ms, strict=True))

    def cells(self) -> list[str]:
        """Return the row of the table."""
        return [
            self.size,
            self.kind,
            f"{median(self.bare_ms):.0f} ({mean(self.bare_ms):.0f} ± {_deviation(self.bare_ms):.0f})",
            f"{median(self.model_ms):.0f} ({mean(self.model_ms):.0f} ± {_deviation(self.model_ms):.0f})",
            f"{median(self.total_ms):.0f} ({mean(self.total_ms):.0f} ± {_deviation(self.total_ms):.0f})",
            f"{self.ratio:.3f}",
            f"{self.extra_ms:+.1f}",
            f"{median(self.up):.0f}",
            f"{median(self.down):.0f}",
            "yes" if self.equal else "NO",
        ]


HEADER = [
    "image",
    "prompt",
    "bare session, ms",
    "model in the service, ms",
    "through HTTP, ms",
    "ratio",
    "extra, ms",
    "bytes up",
    "bytes down",
    "equal",
]


def main(
    sizes: Annotated[str, typer.Option(help="Comma-separated, of: " + ", ".join(SIZES))] = ",".join(SIZES),
    kinds: Annotated[str, typer.Option(help="Comma-separated.")] = ",".join(KINDS),
    pairs: Annotated[int, typer.Option(help="Interleaved pairs of each size and kind.")] = 10,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), device) as (orthanc, service):
        with redirect_stdout(io.StringIO()):
            artifacts = load_artifacts(DEMO_MODEL, device=device)
        rows: list[Row] = []
        _line(HEADER)
        _line(["---"] * len(HEADER))
        for size in sizes.split(","):
            series = phantom(size)
            store_series(orthanc, series)
            for kind in kinds.split(","):
                with service.connect(TOKENS["Bench^Ada"]) as client:
                    with redirect_stdout(io.StringIO()):  # the bare session prints
                        row = measure(client, series, artifacts, size, kind, pairs, device)
                    rows.append(row)
                _line(rows[-1].cells())
        two_users(orthanc, service)
        if any(not row.equal for row in rows):
            raise SystemExit("the service's labelmaps differ from the bare session's")


@contextmanager
def running(folder: Path, device: str) -> Iterator[tuple[OrthancServer, ServiceProcess]]:
    """Run an archive and the service for the time of the benchmark."""
    (folder / "orthanc").mkdir()
    with orthanc_server(folder / "orthanc") as orthanc:
        settings = {"DELINEATE_DEVICE": device, "DELINEATE_TOKENS": json.dumps(TOKENS)}
        service = ServiceProcess(orthanc.dicomweb_url, orthanc.username, orthanc.password, folder / "data", settings)
        service.start()
        try:
            yield orthanc, service
        finally:
            service.stop()


def phantom(size: str) -> PhantomSeries:
    """Return a series of that size: a bright ellipsoid of one size off the centre of ramps and noise."""
    return make_series(shape=SIZES[size], modality="MR", spacing=(1.0, 1.0, 1.0), half_axes=(9.0, 14.0, 11.0))


def prompts(series: PhantomSeries, kind: str, count: int) -> Iterator[Drawn]:
    """Yield prompts inside the phantom's object, each a voxel or two from the one before."""
    middle = [int(n * f) for n, f in zip(series.voxels.shape, (0.35, 0.6, 0.4), strict=True)]
    for n in range(count):
        at = (middle[0] + n % 3 - 1, middle[1] + n % 5 - 2, middle[2] + n % 4 - 2)
        yield draw(kind, at, 0, series.affine, series.frame_of_reference_uid, include=True)


def measure(
    client: Client, series: PhantomSeries, artifacts: Artifacts, size: str, kind: str, pairs: int, device: str
) -> Row:
    """Time one size and kind; the first pair warms up and is not counted."""
    row = Row(size, kind)
    session = client.open_session(series.study_uid, series.series_uid)
    number = session.add_segment()["number"]
    bare = BareSession(artifacts, series.voxels, device=device)
    for n, drawn in enumerate(prompts(series, kind, pairs + 1)):
        if n % 2:
            patch, total_ms, sizes = through_http(session, number, drawn)
            expected = bare.prompt([drawn.voxels], step_seed(drawn.body["id"]))
        else:
            expected = bare.prompt([drawn.voxels], step_seed(drawn.body["id"]))
            patch, total_ms, sizes = through_http(session, number, drawn)
        if n:
            row.bare_ms.append(bare.model_ms)
            row.model_ms.append(patch["timing_ms"]["model"])
            row.total_ms.append(total_ms)
            row.up.append(sizes[0])
            row.down.append(sizes[1])
    row.equal = session.labelmap(number)[0].equals(expected)
    session.close()
    return row


def through_http(session: ClientSession, number: int, drawn: Drawn) -> tuple[dict[str, Any], float, tuple[int, int]]:
    """Send a prompt; return the patch, the time until it was decoded, and the bytes up and down."""
    started = time.perf_counter()
    patch = session.submit(number, drawn.body)
    total_ms = (time.perf_counter() - started) * 1000
    return patch, total_ms, (len(json.dumps(drawn.body)), len(json.dumps(patch)))


def two_users(orthanc: OrthancServer, service: ServiceProcess) -> None:
    """Print the time of a click alone, and while another user's object of many passes runs."""
    small = phantom("128x128x65")
    large = make_series(shape=SIZES["256x256x130"], modality="MR", spacing=(1.0, 1.0, 1.0))
    store_series(orthanc, small, large)
    with service.connect(TOKENS["Bench^Ada"]) as ada, service.connect(TOKENS["Bench^Eve"]) as eve:
        heavy = ada.open_session(large.study_uid, large.series_uid)
        quick = eve.open_session(small.study_uid, small.series_uid)
        for session in (heavy, quick):
            session.add_segment()
        clicks = prompts(small, "point", 2 * CLICKS + 1)
        through_http(quick, 1, next(clicks))
        alone = [through_http(quick, 1, next(clicks))[1] for _ in range(CLICKS)]
        started = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            began = time.perf_counter()
            job = pool.submit(heavy.submit, 1, next(prompts(large, "point", 1)).body, lambda _: started.set())
            started.wait(60)
            during: list[float] = []
            while len(during) < CLICKS and not job.done():
                during.append(through_http(quick, 1, next(clicks))[1])
            job.result()
            long_ms = (time.perf_counter() - began) * 1000
        for session in (heavy, quick):
            session.close()
    typer.echo(
        f"\nA click alone: {median(alone):.0f} ms; during another user's {long_ms:.0f} ms job: "
        f"{median(during):.0f} ms (median of {len(during)}), worst {max(during):.0f} ms."
    )


def _deviation(values: list[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def _line(cells: list[str]) -> None:
    typer.echo("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    typer.run(main)
