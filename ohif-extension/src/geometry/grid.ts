/**
 * The one mapping between patient and voxel coordinates in the viewer; the service's is `domain/geometry.py`, and
 * `tests/corpus/mapping.json` is run by both.
 */

import type { Geometry, Vector } from '../types';
import { AXES, type Axis, cross, dot, minus, scaled, unit } from './vectors';

/**
 * Voxels: positions this close below the border of two voxels count as on it, and so as the upper one. A plane half-way
 * between two slices reaches us as float32 with noise: without the slack its points would fall on both sides.
 */
export const ROUNDING_SLACK = 1e-3;

/** A regular orthogonal grid of voxels in the patient. */
export class Grid {
  /** LPS mm from one voxel centre to the next along k, j, i. */
  readonly steps: readonly [Vector, Vector, Vector];
  /** Centre of voxel (0, 0, 0), LPS mm. */
  readonly origin: Vector;
  readonly shape: Vector;
  private readonly inverse: readonly [Vector, Vector, Vector];

  constructor(geometry: Geometry) {
    const at = (row: number, column: number) => geometry.affine[row]?.[column] ?? Number.NaN;
    const column = (n: number): Vector => [at(0, n), at(1, n), at(2, n)];
    this.steps = [column(0), column(1), column(2)];
    this.origin = column(3);
    this.shape = geometry.shape;
    const [k, j, i] = this.steps;
    const volume = dot(k, cross(j, i));
    this.inverse = [scaled(cross(j, i), 1 / volume), scaled(cross(i, k), 1 / volume), scaled(cross(k, j), 1 / volume)];
  }

  /** Unit vectors (LPS) of the voxel axes k, j, i. */
  get directions(): readonly [Vector, Vector, Vector] {
    return [unit(this.steps[0]), unit(this.steps[1]), unit(this.steps[2])];
  }

  /** Millilitres. */
  get voxelVolume(): number {
    return Math.abs(dot(this.steps[0], cross(this.steps[1], this.steps[2]))) / 1000;
  }

  /** LPS mm of a voxel index (k, j, i), continuous. */
  toPatient(index: Vector): Vector {
    const along = (axis: Axis) =>
      this.origin[axis] + this.steps.reduce((sum, step, n) => sum + step[axis] * index[n as Axis], 0);
    return [along(0), along(1), along(2)];
  }

  /** Continuous voxel index (k, j, i) of a position in LPS mm. */
  toContinuous(point: Vector): Vector {
    const offset = minus(point, this.origin);
    return [dot(this.inverse[0], offset), dot(this.inverse[1], offset), dot(this.inverse[2], offset)];
  }

  /** The voxel (k, j, i) that holds a position in LPS mm. */
  toIndex(point: Vector): Vector {
    const [k, j, i] = this.toContinuous(point);
    return [roundIndex(k), roundIndex(j), roundIndex(i)];
  }

  holds(index: Vector): boolean {
    return AXES.every(axis => index[axis] >= 0 && index[axis] < this.shape[axis]);
  }
}

/** floor(x + 0.5), with the slack. */
export function roundIndex(continuous: number): number {
  return Math.floor(continuous + 0.5 + ROUNDING_SLACK);
}
