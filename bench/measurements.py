"""What measuring costs: ``python bench/measurements.py``, at 512x512x300, segments of 2.5 M voxels.

Milliseconds, of all measurements and of their parts: the median time and, for a machine that does other things too,
the median processor time of the one thread that measures.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median

import numpy as np
import numpy.typing as npt

from delineate.adapters.marching_cubes import MarchingCubes
from delineate.domain.diameters import diameters
from delineate.domain.geometry import VolumeGeometry
from delineate.domain.labelmap import Labelmap
from delineate.domain.measurements import measure
from delineate.domain.outermost import Outermost
from delineate.domain.surface import CellSurfaces, count_cells
from delineate.domain.value_scale import NO_UNIT, ValueScale
from delineate.domain.volume import SliceSource, Volume, VolumePlan

SHAPE = (300, 512, 512)
SPACING_MM = (1.0, 0.8, 0.8)
RUNS = 15


def volume() -> Volume:
    """Return a noisy CT."""
    k, j, i = SPACING_MM
    matrix = np.array([[0, 0, i, 0], [0, j, 0, 0], [k, 0, 0, 0], [0, 0, 0, 1]])
    geometry = VolumeGeometry.from_matrix(SHAPE, matrix, "1.2")
    plan = VolumePlan("1.3", "1.4", None, "CT", geometry, tuple(SliceSource(f"1.5.{n}", 1) for n in range(SHAPE[0])))
    values = np.random.default_rng(0).integers(-1000, 1000, SHAPE, dtype=np.int16)
    return Volume(plan, values.astype(np.float32))


def bodies() -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """Yield bodies of about 2.5 M voxels: a ball in mm is the hardest, as nearly every direction is a diameter."""
    k, j, i = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    ball = ((k - 150.3) * 1.0) ** 2 + ((j - 250.6) * 0.8) ** 2 + ((i - 260.1) * 0.8) ** 2
    yield "ball", ball <= 72.5**2
    yield "ellipsoid", ((k - 150) / 70) ** 2 + ((j - 250) / 92) ** 2 + ((i - 260) / 92) ** 2 <= 1
    yield "box", (abs(k - 150) < 57) & (abs(j - 250) < 75) & (abs(i - 200) < 75)


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Return the median time and processor time of some runs, ms."""
    times, busy = [], []
    for _ in range(RUNS):
        begin, begun = time.perf_counter(), time.thread_time()
        work()
        times.append((time.perf_counter() - begin) * 1000)
        busy.append((time.thread_time() - begun) * 1000)
    return {"time": round(median(times), 1), "processor": round(median(busy), 1)}


def main() -> None:
    """Print the times as JSON."""
    image, surfaces, scale = volume(), CellSurfaces.of(MarchingCubes()), ValueScale(NO_UNIT)
    found: dict[str, object] = {"table of cells": timed(lambda: CellSurfaces.of(MarchingCubes()))}
    for name, voxels in bodies():
        labelmap = Labelmap.from_array(voxels)
        region = labelmap.region
        outermost = Outermost.of(region.voxels)
        parts: dict[str, Callable[[], object]] = {
            "all": partial(measure, labelmap, image, surfaces, scale),
            "cells": partial(count_cells, region.voxels),
            "outermost points": partial(Outermost.of, region.voxels),
            "diameters": partial(diameters, outermost, region.box.start, image.geometry),
        }
        found[f"{name}, {labelmap.count} voxels"] = {part: timed(work) for part, work in parts.items()}
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
