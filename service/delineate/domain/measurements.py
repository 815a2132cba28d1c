"""What is measured of a segment: size, place, and the values of the image inside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from delineate.domain.diameters import Diameter, PlaneDiameters, diameters
from delineate.domain.errors import SegmentEmpty
from delineate.domain.geometry import PatientPoint, VolumeGeometry
from delineate.domain.labelmap import Labelmap, Voxels
from delineate.domain.outermost import Outermost
from delineate.domain.rounding import rounded_point, significant
from delineate.domain.surface import CellSurfaces, count_cells
from delineate.domain.value_scale import ValueScale
from delineate.domain.volume import Volume

PERCENTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True, slots=True)
class ValueStatistics:
    """Of the image's values at the segment's voxels, in the unit of their `ValueScale`.

    The standard deviation is that of the voxels themselves (divided by their number, not by one less). A percentile
    between two values is interpolated linearly.
    """

    mean: float
    standard_deviation: float
    minimum: float
    maximum: float
    percentiles: tuple[float, ...]
    """In the order of PERCENTILES."""

    @property
    def median(self) -> float:
        """The 50th percentile."""
        return self.percentiles[PERCENTILES.index(50)]


@dataclass(frozen=True, slots=True)
class Measurements:
    """All that is measured of one segment; every number is finite."""

    voxel_count: int
    volume_ml: float
    """Of the voxels: their number times the volume of one."""
    mesh_volume_ml: float
    """Inside the surface mesh; a little less, as the mesh cuts corners (a single voxel: a sixth)."""
    surface_mm2: float
    """Of the surface mesh, whose steps make it too large where it is curved: 9 % of a ball, more with thick slices."""
    centroid: PatientPoint
    """Mean position of the voxels."""
    in_plane: PlaneDiameters
    longest: Diameter
    """In space."""
    values: ValueStatistics


def measure(labelmap: Labelmap, volume: Volume, surfaces: CellSurfaces, scale: ValueScale) -> Measurements:
    """Measure a segment.

    Parameters
    ----------
    labelmap
        Its voxels, on the volume's grid.
    volume
        The image, whose values are all finite.
    surfaces
        From which the surface mesh is put together.
    scale
        What the volume's values mean.

    Raises
    ------
    SegmentEmpty
        If no voxel is set.
    """
    region = labelmap.region.tight()
    if region.box.is_empty:
        raise SegmentEmpty("An empty segment has no measurements. Draw in it first.")
    geometry, voxels, start = volume.geometry, region.voxels, region.box.start
    counts = count_cells(voxels)
    in_plane, longest = diameters(Outermost.of(voxels), start, geometry)
    count = int(np.count_nonzero(voxels))
    return Measurements(
        voxel_count=count,
        volume_ml=significant(count * geometry.voxel_volume_ml),
        mesh_volume_ml=significant(surfaces.volume_ml(counts, geometry)),
        surface_mm2=significant(surfaces.area_mm2(counts, geometry)),
        centroid=_centroid(voxels, start, geometry),
        in_plane=in_plane,
        longest=longest,
        values=_statistics(volume.voxels[region.box.slices][voxels], scale.factor),
    )


def _centroid(voxels: Voxels, start: tuple[int, int, int], geometry: VolumeGeometry) -> PatientPoint:
    shadow = voxels.sum(axis=0, dtype=np.int64)
    along = (np.count_nonzero(voxels, axis=(1, 2)), shadow.sum(axis=1), shadow.sum(axis=0))
    means = [float(np.average(np.arange(len(n)), weights=n)) + a for n, a in zip(along, start, strict=True)]
    return rounded_point(geometry.to_patient(means)[0])


def _statistics(values: npt.NDArray[np.float32], factor: float) -> ValueStatistics:
    """Return the statistics of values (n,) times a factor above 0."""
    mean = float(values.mean(dtype=np.float64))
    deviations = values - np.float64(mean)
    places = np.array(PERCENTILES) / 100 * (len(values) - 1)
    below, above = np.floor(places).astype(np.int64), np.ceil(places).astype(np.int64)
    sorted_there = np.partition(values, np.unique([0, *below, *above, len(values) - 1])).astype(np.float64)
    low, high = sorted_there[below], sorted_there[above]
    deviation = math.sqrt(float(np.dot(deviations, deviations)) / len(values))
    return ValueStatistics(
        mean=significant(mean * factor),
        standard_deviation=significant(deviation * factor),
        minimum=significant(float(sorted_there[0]) * factor),
        maximum=significant(float(sorted_there[-1]) * factor),
        percentiles=tuple(significant(value * factor) for value in (low + (high - low) * (places - below)).tolist()),
    )
