"""Measure which kinds of prompt the model takes on oblique planes, and record it beside the model.

A model trained on prompts drawn in slices sees something else when a plane cuts through them. Each kind is drawn twice
around the same voxel of the same synthetic object, once in a slice and once on a tilted plane; it is enabled there if
the mean Dice is within 0.05 of the one in the slice (DESIGN section 4).

Run from ``service/``: ``python -m training.measure_oblique --help``.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import find_contours

from delineate.adapters.nninteractive.checkpoint import MEASURED, find_checkpoint
from delineate.adapters.nninteractive.segmenter import NnInteractiveSegmenter, load_segmenter
from delineate.domain.errors import PromptError
from delineate.domain.geometry import PatientPoint, VolumeGeometry
from delineate.domain.labelmap import Labelmap
from delineate.domain.model import ModelInfo
from delineate.domain.ports import Engine, SegmentHistory
from delineate.domain.prompts import DrawnPrompt, PromptOrigin
from delineate.domain.rasterise import rasterise
from delineate.domain.volume import SliceSource, Volume, VolumePlan
from training.episodes import random_shape, target_mask
from training.prompting import middle_near, random_voxel
from training.synthetic import make_scene

logger = logging.getLogger(__name__)

Kind = Literal["box", "scribble", "lasso"]
Mask = NDArray[np.bool_]
Float = NDArray[np.float64]

KINDS: tuple[Kind, ...] = ("box", "scribble", "lasso")
"""Those that are drawn on a plane."""
ALLOWED_LOSS = 0.05
"""Of mean Dice, against the prompt drawn in a slice."""
TILT_DEGREES = (15.0, 45.0)
"""Range of the angle between the oblique plane and the slice; beyond it another slice direction is nearer."""
FRAME = "2.25.1"
MIN_AREA = 20
"""Voxels: an object's cut by the plane that is smaller is not drawn on."""
STROKE_POINTS = 60
REACH = 90
"""Voxels around the clicked one that a drawing can reach on its plane."""


@dataclass(frozen=True, slots=True)
class Plane:
    """A plane through a voxel: its origin and two perpendicular unit vectors in it, all (k, j, i)."""

    origin: Float
    u: Float
    v: Float

    def at(self, points: Float) -> Float:
        """Return the positions (n, 3) of the points (n, 2) of the plane."""
        return np.asarray(self.origin + points[:, :1] * self.u + points[:, 1:] * self.v)

    def cut(self, mask: Mask) -> Mask:
        """Sample ``mask`` on the plane, 1 voxel apart; the origin is in the middle."""
        steps = np.arange(-REACH, REACH + 1, dtype=np.float64)
        grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
        voxels = np.rint(self.at(grid)).astype(np.int64)
        inside = ((voxels >= 0) & (voxels < np.array(mask.shape))).all(axis=1)
        out = np.zeros(len(grid), dtype=np.bool_)
        out[inside] = mask[tuple(voxels[inside].T)]
        parts, _ = ndimage.label(out.reshape(len(steps), len(steps)))
        return np.asarray((parts == parts[REACH, REACH]) & (parts > 0))


def slice_plane(origin: Float, axis: int) -> Plane:
    """Return the slice through ``origin`` across a voxel axis."""
    u, v = (np.eye(3)[a] for a in range(3) if a != axis)
    return Plane(origin, u, v)


def tilted_plane(rng: np.random.Generator, origin: Float, axis: int) -> Plane:
    """Return a plane through ``origin``, tilted against the slice across ``axis`` in a random direction."""
    flat = slice_plane(origin, axis)
    turn, tilt = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(*TILT_DEGREES))
    u = np.cos(turn) * flat.u + np.sin(turn) * flat.v
    across = -np.sin(turn) * flat.u + np.cos(turn) * flat.v
    return Plane(origin, u, np.cos(tilt) * across + np.sin(tilt) * np.eye(3)[axis])


def outline(rng: np.random.Generator, kind: Kind, region: Mask) -> Float:
    """Draw a prompt for a region of a plane: points (n, 2) of the plane."""
    rows, columns = ndimage.find_objects(region.astype(np.uint8))[0]
    if kind == "box":
        (a, b), (c, d) = (rows.start, rows.stop - 1), (columns.start, columns.stop - 1)
        points = np.array([(a, c), (a, d), (b, d), (b, c)], dtype=np.float64)
    elif kind == "lasso":
        contours = find_contours(np.pad(region, 1).astype(np.float64), 0.5)
        points = np.asarray(max(contours, key=len)[:-1] - 1, dtype=np.float64)
    else:
        depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
        inside = np.argwhere(depth >= min(2.5, float(depth.max())))
        a, b, c = inside[rng.integers(len(inside), size=3)].astype(np.float64)
        t = np.linspace(0, 1, STROKE_POINTS)[:, None]
        curve = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
        points = curve[region[tuple(np.rint(curve).astype(int).T)]]
    return np.asarray(points - REACH)


def make_volume(image: NDArray[np.float32]) -> Volume:
    """Wrap a scene as an axial volume of 1 mm whose (k, j, i) are (z, y, x)."""
    k, j, i = image.shape
    geometry = VolumeGeometry.from_matrix((k, j, i), np.eye(4)[[2, 1, 0, 3]], FRAME)
    name = uuid.uuid4().hex
    slices = tuple(SliceSource(f"{name}.{n}", 1) for n in range(k))
    return Volume(VolumePlan("2.25.2", name, None, "OT", geometry, slices), np.ascontiguousarray(image))


def drawn_prompt(rng: np.random.Generator, kind: Kind, plane: Plane, mask: Mask) -> DrawnPrompt | None:
    """Draw around an object on a plane, in the patient; None if the plane cuts too little of it."""
    region = plane.cut(mask)
    if np.count_nonzero(region) < MIN_AREA:
        return None
    points = tuple(PatientPoint(x, y, z) for z, y, x in plane.at(outline(rng, kind, region)).tolist())
    z, y, x = np.cross(plane.u, plane.v).tolist()
    return DrawnPrompt(PromptOrigin(str(uuid.uuid4()), True, FRAME), kind, points, (x, y, z))


def dice(a: Mask, b: Mask) -> float:
    """Return the Dice overlap of two masks."""
    return 2 * int((a & b).sum()) / max(1, int(a.sum()) + int(b.sum()))


def pairs(segmenter: NnInteractiveSegmenter, seed: int, objects: int) -> Iterator[tuple[Kind, float, float]]:
    """Yield, for each kind and object, the Dice of the prompt in a slice and on a tilted plane."""
    info = replace(segmenter.info, oblique_prompts=KINDS)
    for number in range(objects):
        rng = np.random.default_rng([seed, number])
        scene = make_scene(rng, random_shape(rng, info.crop_shape[0]))
        if not scene.targets:
            continue
        mask = target_mask(scene.labels, int(rng.choice(scene.targets)))
        at = np.array(middle_near(mask, random_voxel(rng, mask) or (0, 0, 0)), dtype=np.float64)
        axis = int(rng.integers(3))
        planes = slice_plane(at, axis), tilted_plane(rng, at, axis)
        volume = make_volume(scene.image)
        engine = segmenter.open(volume, "measure")
        for kind in KINDS:
            scores = [_score(rng, engine, volume, info, kind, plane, mask) for plane in planes]
            if None not in scores:
                logger.info("%d %s %d voxels: %s", number, kind, mask.sum(), scores)
                yield kind, float(scores[0] or 0), float(scores[1] or 0)
        engine.close()


def _score(
    rng: np.random.Generator, engine: Engine, volume: Volume, info: ModelInfo, kind: Kind, plane: Plane, mask: Mask
) -> float | None:
    """Return the Dice after one prompt, or None where none can be drawn."""
    drawn = drawn_prompt(rng, kind, plane, mask)
    if drawn is None:
        return None
    try:
        prompt = rasterise(drawn, volume.plan, info)
    except PromptError:  # a corner outside the volume
        return None
    history = SegmentHistory(uuid.uuid4().hex, Labelmap(volume.geometry.shape))
    outcome = engine.run(history, [prompt], state=uuid.uuid4().hex, seed=0, cancelled=lambda: False)
    return dice(history.labelmap.apply(outcome.change).to_array(), mask)


def main(
    model: Annotated[str, typer.Option(help="As DELINEATE_MODEL: demo, an official id, or a folder.")] = "demo",
    licence: Annotated[str | None, typer.Option(help="The accepted licence; the demo model needs none.")] = None,
    data_dir: Annotated[Path, typer.Option(help="Where official models are.")] = Path("data"),
    objects: Annotated[int, typer.Option(help="Synthetic objects.")] = 40,
    seed: Annotated[int, typer.Option(help="Seed of the objects; never used in training.")] = 20261122,
    threads: Annotated[int, typer.Option(help="CPU threads.")] = 2,
) -> None:
    """Measure, and write the result into the model's folder."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    segmenter = load_segmenter(model, licence_accepted=licence, data_dir=data_dir, threads=threads)
    measured = list(pairs(segmenter, seed, objects))
    segmenter.close()
    figures = {}
    for kind in KINDS:
        scores = np.array([(flat, tilted) for k, flat, tilted in measured if k == kind]).reshape(-1, 2)
        flat, tilted = scores.mean(axis=0).round(3).tolist()
        figures[kind] = {"dice_in_slice": flat, "dice_on_oblique_plane": tilted, "objects": len(scores)}
    passed = [k for k, f in figures.items() if f["dice_on_oblique_plane"] >= f["dice_in_slice"] - ALLOWED_LOSS]
    document = {
        "weights_sha256": segmenter.info.weights_sha256,
        "oblique_prompts": ["point", *passed],
        "measured": {"tilt_degrees": TILT_DEGREES, "allowed_loss": ALLOWED_LOSS, "seed": seed, "kinds": figures},
    }
    folder = find_checkpoint(model, licence_accepted=licence, data_dir=data_dir).folder
    (folder / MEASURED).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    typer.echo(json.dumps(document, indent=2))


if __name__ == "__main__":
    typer.run(main)
