/** What a brush or an eraser changed: some voxels of a box, and not the others. */

import type { Bounds, Region } from '../types';
import { contains, intersection, isEmpty, union } from './bounds';
import { crop, eachRow, tightBounds } from './region';

const UNTOUCHED = 2;

/** Voxels of a box: 0 or 1 where they were changed to that, 2 elsewhere. */
export interface Edit {
  readonly box: Bounds;
  readonly values: Uint8Array;
}

/** What turns `before` into `after`; null when they are equal. Outside of their boxes both are zero. */
export function editBetween(before: Region, after: Region): Edit | null {
  const outer = union(before.box, after.box);
  const old = contains(before.box, outer) ? before.voxels : crop(before, outer).voxels;
  const now = contains(after.box, outer) ? after : crop(after, outer);
  const box = tightBounds(now, offset => now.voxels[offset] !== old[offset]);
  if (isEmpty(box)) return null;
  const values = new Uint8Array(crop(now, box).voxels);
  const width = box[2][1] - box[2][0];
  let at = 0;
  eachRow(outer, box, offset => {
    for (let i = 0; i < width; i++, at++) {
      if (now.voxels[offset + i] === old[offset + i]) values[at] = UNTOUCHED;
    }
  });
  return { box, values };
}

/** Put an edit on top of a region, in place, as far as the region's box goes. */
export function applyEdit(region: Region, edit: Edit): void {
  const common = intersection(region.box, edit.box);
  if (isEmpty(common)) return;
  const width = common[2][1] - common[2][0];
  const sources: number[] = [];
  eachRow(edit.box, common, offset => sources.push(offset));
  let n = 0;
  eachRow(region.box, common, offset => {
    const source = sources[n++]!;
    for (let i = 0; i < width; i++) {
      const value = edit.values[source + i]!;
      if (value !== UNTOUCHED) region.voxels[offset + i] = value;
    }
  });
}
