/** Half-open boxes of voxels, axes (k, j, i). */

import type { Bounds, Vector } from '../types';

export const NO_BOUNDS: Bounds = [
  [0, 0],
  [0, 0],
  [0, 0],
];

/** Voxels along (k, j, i). */
export function shapeOf(box: Bounds): Vector {
  return [box[0][1] - box[0][0], box[1][1] - box[1][0], box[2][1] - box[2][0]];
}

export function countOf(box: Bounds): number {
  const [k, j, i] = shapeOf(box);
  return k * j * i;
}

export function isEmpty(box: Bounds): boolean {
  return countOf(box) === 0;
}

/** The smallest box that holds both; an empty box adds nothing. */
export function union(a: Bounds, b: Bounds): Bounds {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  const span = (axis: 0 | 1 | 2) => [Math.min(a[axis][0], b[axis][0]), Math.max(a[axis][1], b[axis][1])] as const;
  return [span(0), span(1), span(2)];
}

/** What both hold; NO_BOUNDS if nothing. */
export function intersection(a: Bounds, b: Bounds): Bounds {
  const span = (axis: 0 | 1 | 2) => [Math.max(a[axis][0], b[axis][0]), Math.min(a[axis][1], b[axis][1])] as const;
  const box: Bounds = [span(0), span(1), span(2)];
  return box.some(([from, to]) => to <= from) ? NO_BOUNDS : box;
}

export function contains(outer: Bounds, inner: Bounds): boolean {
  return isEmpty(inner) || ([0, 1, 2] as const).every(a => outer[a][0] <= inner[a][0] && inner[a][1] <= outer[a][1]);
}

/** Bounds as they came over the wire; throws if they are not three ordered pairs. */
export function boundsFrom(pairs: readonly (readonly number[])[]): Bounds {
  const [k, j, i] = pairs;
  if (pairs.length !== 3 || k === undefined || j === undefined || i === undefined) {
    throw new RangeError('A box has three spans.');
  }
  return [spanFrom(k), spanFrom(j), spanFrom(i)];
}

function spanFrom(pair: readonly number[]): readonly [number, number] {
  const [from, to] = pair;
  if (pair.length !== 2 || from === undefined || to === undefined || !(to >= from)) {
    throw new RangeError(`A span runs from a first voxel to the one after the last, not ${JSON.stringify(pair)}.`);
  }
  return [from, to];
}
