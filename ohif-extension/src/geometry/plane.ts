/** How a plane of the viewer lies to the voxel axes of a session; `tests/corpus/planes.json` is run by service and viewer. */

import type { Geometry, Vector } from '../types';
import { Grid } from './grid';
import { AXES, type Axis, dot, scaled, unit } from './vectors';

/**
 * Voxels: a plane that drifts less than this across the whole volume stays in one slice. The service takes points that
 * differ no more along an axis as one slice, so what is aligned here is aligned there.
 */
export const FLAT_TOLERANCE = 0.05;

/** Of a cosine: of axes equal up to float noise (a plane turned by 45 degrees) the first is taken. */
const TIE_DECIMALS = 6;

/** Whether a plane is a slice of the voxel grid, on whichever axis. */
export function planeOf(geometry: Geometry, normal: Vector): 'aligned' | 'oblique' {
  const grid = new Grid(geometry);
  const gradient: Vector = [dot(normal, grid.steps[0]), dot(normal, grid.steps[1]), dot(normal, grid.steps[2])];
  const across = axisOfLargest(gradient);
  const drift = AXES.filter(axis => axis !== across)
    .map(axis => Math.abs(gradient[axis] / gradient[across]) * (grid.shape[axis] - 1))
    .reduce((sum, voxels) => sum + voxels, 0);
  return drift <= FLAT_TOLERANCE ? 'aligned' : 'oblique';
}

/** Voxel axis (0, 1, 2 = k, j, i) and unit normal (LPS, turned like `normal`) of the nearest slice plane. */
export function nearestSlicePlane(geometry: Geometry, normal: Vector): { axis: Axis; normal: Vector } {
  const { directions } = new Grid(geometry);
  const cosines: Vector = [dot(directions[0], normal), dot(directions[1], normal), dot(directions[2], normal)];
  const axis = axisOfLargest(cosines);
  return { axis, normal: scaled(unit(directions[axis]), cosines[axis] >= 0 ? 1 : -1) };
}

function axisOfLargest(values: Vector): Axis {
  const size = (axis: Axis) => Number(Math.abs(values[axis]).toFixed(TIE_DECIMALS));
  return AXES.reduce<Axis>((best, axis) => (size(axis) > size(best) ? axis : best), 0);
}
