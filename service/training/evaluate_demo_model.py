"""Measure the demo model through the unmodified nnInteractive session, AutoZoom on.

Run from ``service/``: ``python -m training.evaluate_demo_model --help``. Axes are ``(k, j, i)``.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from scipy import ndimage

from training.episodes import random_shape, target_mask
from training.prompting import KINDS, DrawnPrompt, Mask, draw_prompt, middle_near, random_voxel
from training.synthetic import make_scene, smooth_field

logger = logging.getLogger(__name__)

CORRECTIONS = 3
"""Corrective points after the first prompt."""

PATCH = 96
"""Scale of the random volume sizes, as in training."""

SERIES_SHAPE = (130, 256, 256)
"""Size of the volumes on which prompts are timed, ``(k, j, i)`` voxels."""

LESIONS = 3
"""Lesions painted into the head MRI, one at a time."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One prompt's outcome.

    Attributes
    ----------
    case
        Which volume and object.
    first
        Kind of the first prompt of this interaction.
    corrections
        Corrective points given so far.
    dice
        Of the whole segmentation after this prompt.
    seconds
        Of the call, prediction included.
    passes
        Forward passes of the network.
    object_voxels
        Size of the wanted object.
    """

    case: str
    first: str
    corrections: int
    dice: float
    seconds: float
    passes: int
    object_voxels: int


class Harness:
    """An nnInteractive session with its network's passes counted."""

    def __init__(self, model: Path, threads: int) -> None:
        from nnInteractive.inference.inference_session import nnInteractiveInferenceSession

        with contextlib.redirect_stdout(io.StringIO()):
            self._session = nnInteractiveInferenceSession(
                device=torch.device("cpu"), torch_n_threads=threads, do_autozoom=True
            )
            self._session.initialize_from_trained_model_folder(str(model), 0)
        self._passes = 0
        self._session.network.register_forward_hook(self._count)
        self._buffer: NDArray[np.uint8] = np.zeros((1, 1, 1), dtype=np.uint8)

    def _count(self, *_: object) -> None:
        self._passes += 1

    def open(self, image: NDArray[np.float32]) -> None:
        """Set the image, float32 ``(K, J, I)``."""
        with contextlib.redirect_stdout(io.StringIO()):
            self._session.set_image(image[None])
            self._session._finish_preprocessing_and_initialize_interactions()
        self._buffer = np.zeros(image.shape, dtype=np.uint8)
        self._session.set_target_buffer(self._buffer)

    def reset(self) -> None:
        """Forget all prompts."""
        self._session.reset_interactions()

    @property
    def answer(self) -> Mask:
        """The segmentation so far."""
        return np.asarray(self._buffer > 0, dtype=np.bool_)

    def prompt(self, drawn: DrawnPrompt, include: bool, seed: int) -> tuple[float, int]:
        """Give a prompt; return the seconds it took and the forward passes."""
        np.random.seed(seed)
        self._passes = 0
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()), torch.inference_mode():
            if drawn.kind == "point":
                self._session.add_point_interaction(drawn.at, include)
            elif drawn.kind == "box":
                self._session.add_bbox_interaction([list(pair) for pair in drawn.filled], include)
            else:
                self._add_mask(drawn, include)
        return time.perf_counter() - started, self._passes

    def _add_mask(self, drawn: DrawnPrompt, include: bool) -> None:
        box = [[o, o + n] for o, n in zip(drawn.origin, drawn.values.shape, strict=True)]
        add = self._session.add_lasso_interaction if drawn.kind == "lasso" else self._session.add_scribble_interaction
        add(drawn.values.astype(np.uint8), include, interaction_bbox=box)


def dice(a: Mask, b: Mask) -> float:
    """Return the Dice overlap of two masks of the same shape."""
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def correction_point(answer: Mask, mask: Mask) -> tuple[DrawnPrompt, bool] | None:
    """Click in the middle of the largest connected error, as a careful user would; None without errors."""
    best: tuple[int, Mask | None, bool] = (0, None, True)
    for include, error in ((True, mask & ~answer), (False, answer & ~mask)):
        parts, count = ndimage.label(error)
        if not count:
            continue
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        if int(sizes.max()) > best[0]:
            best = (int(sizes.max()), np.asarray(parts == sizes.argmax(), dtype=np.bool_), include)
    if best[1] is None:
        return None
    at = deepest(best[1])
    return DrawnPrompt("point", at, at, np.ones((1, 1, 1), dtype=np.float32)), best[2]


def deepest(region: Mask) -> tuple[int, int, int]:
    """Return the voxel of ``region`` farthest from its surface."""
    where = ndimage.find_objects(region.astype(np.uint8))[0]
    depth = ndimage.distance_transform_edt(np.pad(region[where], 1))[1:-1, 1:-1, 1:-1]
    k, j, i = (int(n) + s.start for n, s in zip(np.unravel_index(int(depth.argmax()), depth.shape), where, strict=True))
    return k, j, i


def interact(
    harness: Harness, case: str, mask: Mask, kind: str, rng: np.random.Generator, corrections: int
) -> list[Measurement]:
    """Give a first prompt of ``kind`` and then corrective points, measuring after each."""
    harness.reset()
    at = middle_near(mask, random_voxel(rng, mask) or (0, 0, 0))
    drawn, include = draw_prompt(rng, kind, mask, at, axis=int(rng.integers(3))), True
    voxels = int(mask.sum())
    measured: list[Measurement] = []
    for number in range(corrections + 1):
        seconds, passes = harness.prompt(drawn, include, seed=number)
        measured.append(Measurement(case, kind, number, dice(harness.answer, mask), seconds, passes, voxels))
        logger.info("%s %s %d: %.2f, %.2f s, %d passes", case, kind, number, measured[-1].dice, seconds, passes)
        following = correction_point(harness.answer, mask)
        if following is None:
            measured += [Measurement(case, kind, n, 1.0, 0.0, 0, voxels) for n in range(number + 1, corrections + 1)]
            break
        drawn, include = following
    return measured


def interact_with_each(harness: Harness, case: str, mask: Mask, rng: np.random.Generator) -> list[Measurement]:
    """Interact with one object four times, beginning with each kind of prompt."""
    out = [m for kind in KINDS for m in interact(harness, case, mask, kind, rng, CORRECTIONS)]
    logger.info("%s %s %d voxels: %s", case, mask.shape, mask.sum(), _brief(out))
    return out


def held_out(harness: Harness, seed: int, numbers: range) -> Iterator[list[Measurement]]:
    """Measure on synthetic volumes that training cannot have seen: one random object of each."""
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        scene = make_scene(rng, random_shape(rng, PATCH))
        while not scene.targets:
            scene = make_scene(rng, random_shape(rng, PATCH))
        mask = target_mask(scene.labels, int(rng.choice(scene.targets)))
        harness.open(scene.image)
        yield interact_with_each(harness, f"synthetic-{number}", mask, rng)


def series_sized(harness: Harness, seed: int, count: int) -> Iterator[list[Measurement]]:
    """Measure prompts on volumes of the size of a real series."""
    for number in range(count):
        rng = np.random.default_rng([seed, 1000 + number])
        scene = make_scene(rng, SERIES_SHAPE)
        while not scene.targets:
            scene = make_scene(rng, SERIES_SHAPE)
        mask = target_mask(scene.labels, int(rng.choice(scene.targets)))
        harness.open(scene.image)
        yield interact_with_each(harness, f"series-{number}", mask, rng)


def head_mri(harness: Harness, seed: int) -> Iterator[list[Measurement]]:
    """Measure on the MNI152 template of nilearn's wheel: the brain, and lesions painted into it."""
    import nilearn.datasets

    rng = np.random.default_rng([seed, 2000])
    image = np.asarray(nilearn.datasets.load_mni152_template(resolution=1).dataobj, dtype=np.float32).T * 255
    brain = np.asarray(nilearn.datasets.load_mni152_brain_mask(resolution=1).dataobj, dtype=np.bool_).T
    image, brain = np.ascontiguousarray(image), np.ascontiguousarray(brain)
    for number in range(LESIONS):
        painted, lesion = paint_lesion(rng, image, brain, float(rng.uniform(6, 16)))
        harness.open(painted)
        yield interact_with_each(harness, f"mri-lesion-{number}", lesion, rng)
    harness.open(image)
    yield interact_with_each(harness, "mri-brain", brain, rng)


def paint_lesion(
    rng: np.random.Generator, image: NDArray[np.float32], brain: Mask, radius: float
) -> tuple[NDArray[np.float32], Mask]:
    """Paint a bright or dark blob into the brain.

    Parameters
    ----------
    rng
        Source of randomness.
    image
        float32 ``(K, J, I)``, about 0 to 255.
    brain
        bool, the same shape.
    radius
        Mean radius in voxels.

    Returns
    -------
    tuple
        The painted image and the lesion.
    """
    inner = ndimage.distance_transform_edt(brain) > radius * 1.3
    at = random_voxel(rng, np.asarray(inner, dtype=np.bool_)) or (0, 0, 0)
    half = int(radius * 1.6) + 1
    where = tuple(slice(max(0, a - half), a + half + 1) for a in at)
    d = [(np.arange(s.start, min(s.stop, n)) - a) ** 2 for s, n, a in zip(where, brain.shape, at, strict=True)]
    distance = np.sqrt(d[0][:, None, None] + d[1][None, :, None] + d[2][None, None, :]) / radius
    blob = distance + 0.15 * smooth_field(rng, distance.shape, cell=radius * 0.8) < 1
    parts, _ = ndimage.label(blob)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    mask: Mask = np.zeros(brain.shape, dtype=np.bool_)
    mask[where] = parts == sizes.argmax()
    soft = ndimage.gaussian_filter(mask.astype(np.float32), 0.7)
    level = 245.0 if rng.random() < 0.5 else 40.0
    return np.asarray(image * (1 - soft) + level * soft, dtype=np.float32), mask


def _brief(measured: list[Measurement]) -> str:
    return " ".join(
        f"{m.first[0]}{m.corrections}:{m.dice:.2f}/{m.passes}p" for m in measured if m.corrections in (0, 3)
    )


def dice_table(measured: list[Measurement]) -> str:
    """Return a Markdown table: Dice after one prompt of each kind and after the corrections."""
    lines = [
        "| first prompt | objects | Dice after it: mean, median | one correction | two | three |",
        "|---|---|---|---|---|---|",
    ]
    for kind in (*KINDS, "all"):
        rows = [m for m in measured if kind in (m.first, "all")]
        cells = []
        for number in range(CORRECTIONS + 1):
            values = [m.dice for m in rows if m.corrections == number]
            cells.append(f"{np.mean(values):.2f}, {np.median(values):.2f}")
        lines.append(f"| {kind} | {len({m.case for m in rows})} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def time_table(measured: list[Measurement]) -> str:
    """Return a Markdown table: seconds and forward passes of the prompts that were given."""
    lines = [
        "| prompts | number | seconds: median | 95th percentile | most | passes: median | 95th percentile | most |",
        "|---|---|---|---|---|---|---|---|",
    ]
    choices: list[tuple[str, Callable[[Measurement], bool]]] = [("first", lambda m: m.corrections == 0)]
    choices += [("corrective", lambda m: m.corrections > 0), ("all", lambda _: True)]
    for name, wanted in choices:
        rows = [m for m in measured if m.passes and wanted(m)]
        seconds, passes = [m.seconds for m in rows], [m.passes for m in rows]
        lines.append(
            f"| {name} | {len(rows)} | {np.median(seconds):.2f} | {np.percentile(seconds, 95):.2f} | {max(seconds):.2f}"
            f" | {np.median(passes):.0f} | {np.percentile(passes, 95):.0f} | {max(passes)} |"
        )
    return "\n".join(lines)


def _measure(title: str, cases: Iterator[list[Measurement]], out: Path) -> None:
    """Write down the cases one by one and report them."""
    out.mkdir(parents=True, exist_ok=True)
    measured: list[Measurement] = []
    for case in cases:
        measured += case
        results: dict[str, Any] = {"title": title, "measurements": [asdict(m) for m in measured]}
        (out / f"{title}.json").write_text(json.dumps(results))
    typer.echo(f"## {title}\n\n{dice_table(measured)}\n\n{time_table(measured)}\n")


def merge(out: Path, pattern: str) -> list[Measurement]:
    """Read the measurements of several runs back."""
    return [
        Measurement(**row) for path in sorted(out.glob(pattern)) for row in json.loads(path.read_text())["measurements"]
    ]


def main(
    model: Annotated[Path, typer.Option(help="Model folder.")] = Path("delineate/demo_model"),
    out: Annotated[Path, typer.Option(help="Where to write the measurements as JSON.")] = Path("evaluation"),
    seed: Annotated[int, typer.Option(help="Seed of the held-out volumes; never used in training.")] = 20261121,
    objects: Annotated[int, typer.Option(help="Held-out synthetic objects.")] = 40,
    first: Annotated[int, typer.Option(help="Number of the first held-out object, to share the work.")] = 0,
    series: Annotated[int, typer.Option(help="Objects in volumes of 256x256x130.")] = 8,
    mri: Annotated[bool, typer.Option(help="Also the head MRI of nilearn's wheel.")] = True,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
    merged: Annotated[str, typer.Option(help="Only report the measured files of this pattern, together.")] = "",
) -> None:
    """Measure and report as Markdown."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if merged:
        measured = merge(out, merged)
        typer.echo(f"{dice_table(measured)}\n\n{time_table(measured)}")
        return
    harness = Harness(model, threads)
    if series:
        _measure("series", series_sized(harness, seed, series), out)
    if objects:
        _measure(f"synthetic-from-{first}", held_out(harness, seed, range(first, first + objects)), out)
    if mri:
        _measure("mri", head_mri(harness, seed), out)


if __name__ == "__main__":
    typer.run(main)
