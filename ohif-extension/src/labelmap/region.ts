/** Regions of voxels: parts cut out, written over, compared. Voxels are one byte each (0 or 1), C order (k, j, i). */

import type { Bounds, Region } from '../types';
import { NO_BOUNDS, countOf, intersection, isEmpty, shapeOf } from './bounds';

export const NO_REGION: Region = { box: NO_BOUNDS, voxels: new Uint8Array(0) };

/** Call `row` with where each row (along i) of `part` begins in an array over `outer`, in C order. */
export function eachRow(outer: Bounds, part: Bounds, row: (offset: number) => void): void {
  const [, rows, columns] = shapeOf(outer);
  const first = part[2][0] - outer[2][0];
  for (let k = part[0][0]; k < part[0][1]; k++) {
    for (let j = part[1][0]; j < part[1][1]; j++) {
      row(((k - outer[0][0]) * rows + (j - outer[1][0])) * columns + first);
    }
  }
}

/** Write the voxels of `from` over those of `into`, as far as both have them. `into` is changed in place. */
export function writeOver(into: Region, from: Region): void {
  const common = intersection(into.box, from.box);
  if (isEmpty(common)) return;
  const width = common[2][1] - common[2][0];
  const sources: number[] = [];
  eachRow(from.box, common, offset => sources.push(offset));
  let n = 0;
  eachRow(into.box, common, offset => {
    const source = sources[n++]!;
    into.voxels.set(from.voxels.subarray(source, source + width), offset);
  });
}

/** The voxels of `box`: those of `region` where it has them, elsewhere zero. Always a copy. */
export function crop(region: Region, box: Bounds): Region {
  const out: Region = { box, voxels: new Uint8Array(countOf(box)) };
  writeOver(out, region);
  return out;
}

/** The smallest region that holds every voxel that is set. */
export function tight(region: Region): Region {
  const box = tightBounds(region, offset => region.voxels[offset] !== 0);
  if (isEmpty(box)) return NO_REGION;
  return sameBounds(box, region.box) ? region : crop(region, box);
}

export function sameBounds(a: Bounds, b: Bounds): boolean {
  return ([0, 1, 2] as const).every(axis => a[axis][0] === b[axis][0] && a[axis][1] === b[axis][1]);
}

/** The smallest box around the voxels of `region` for which `counts` says yes; NO_BOUNDS if there is none. */
export function tightBounds(region: Region, counts: (offset: number) => boolean): Bounds {
  const [[k0, k1], [j0, j1], [i0, i1]] = region.box;
  let [lowK, highK, lowJ, highJ, lowI, highI] = [k1, k0, j1, j0, i1, i0];
  let offset = 0;
  for (let k = k0; k < k1; k++) {
    for (let j = j0; j < j1; j++) {
      for (let i = i0; i < i1; i++, offset++) {
        if (!counts(offset)) continue;
        if (k < lowK) lowK = k;
        if (k >= highK) highK = k + 1;
        if (j < lowJ) lowJ = j;
        if (j >= highJ) highJ = j + 1;
        if (i < lowI) lowI = i;
        if (i >= highI) highI = i + 1;
      }
    }
  }
  return highK > lowK ? [[lowK, highK], [lowJ, highJ], [lowI, highI]] : NO_BOUNDS;
}

/** How many voxels are set. */
export function countSet(region: Region): number {
  let count = 0;
  for (const voxel of region.voxels) count += voxel;
  return count;
}
