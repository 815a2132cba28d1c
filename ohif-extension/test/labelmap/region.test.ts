import { describe, expect, it } from 'vitest';

import { NO_BOUNDS, boundsFrom, contains, intersection, isEmpty, union } from '../../src/labelmap/bounds';
import { applyEdit, editBetween } from '../../src/labelmap/edit';
import { Mirror } from '../../src/labelmap/mirror';
import { NO_REGION, countSet, crop, tight, writeOver } from '../../src/labelmap/region';
import type { Bounds, Region } from '../../src/types';
import { randomBox, randomRegion, random } from '../random';

const SHAPE: Bounds = [[0, 6], [0, 7], [0, 9]];

/** The whole volume as an array: the slow and plain way to say what a region is. */
function full(region: Region): number[] {
  return [...crop(region, SHAPE).voxels];
}

describe('bounds', () => {
  it('unites, intersects and contains', () => {
    const a: Bounds = [[1, 3], [0, 4], [2, 5]];
    const b: Bounds = [[2, 6], [3, 5], [0, 3]];
    expect(union(a, b)).toEqual([[1, 6], [0, 5], [0, 5]]);
    expect(intersection(a, b)).toEqual([[2, 3], [3, 4], [2, 3]]);
    expect(union(a, NO_BOUNDS)).toEqual(a);
    expect(intersection(a, [[3, 4], [0, 4], [2, 5]])).toEqual(NO_BOUNDS);
    expect(contains(a, [[1, 2], [0, 1], [4, 5]])).toBe(true);
    expect(contains(a, b)).toBe(false);
    expect(contains(a, NO_BOUNDS)).toBe(true);
    expect(isEmpty(boundsFrom([[2, 2], [0, 4], [0, 4]]))).toBe(true);
  });
});

describe('regions', () => {
  it('cut out and written over are as in a full array, voxel by voxel', () => {
    const next = random(1);
    for (let n = 0; n < 200; n++) {
      const into = randomRegion(next, SHAPE);
      const from = randomRegion(next, SHAPE);
      const before = full(into);
      const inside = full({ box: from.box, voxels: new Uint8Array(from.voxels.length).fill(1) });
      const outer = crop(into, SHAPE);
      writeOver(outer, from);
      expect([...outer.voxels]).toEqual(before.map((voxel, at) => (inside[at] === 1 ? full(from)[at] : voxel)));
    }
  });

  it('are tight around what is set', () => {
    const next = random(2);
    for (let n = 0; n < 200; n++) {
      const region = randomRegion(next, SHAPE, 0.03);
      const small = tight(region);
      expect(full(small)).toEqual(full(region));
      expect(countSet(small)).toBe(countSet(region));
      if (countSet(region) === 0) expect(small).toBe(NO_REGION);
      else expect(small).toEqual(tight(crop(region, SHAPE)));
    }
  });
});

describe('a mirror', () => {
  it('holds what was written to it last, wherever that was', () => {
    const next = random(3);
    const mirror = new Mirror();
    const truth = crop(NO_REGION, SHAPE);
    for (let n = 0; n < 100; n++) {
      const change = randomRegion(next, SHAPE);
      mirror.write(change);
      writeOver(truth, change);
      expect([...mirror.crop(SHAPE).voxels]).toEqual([...truth.voxels]);
    }
    const whole = randomRegion(next, SHAPE);
    mirror.replace(whole);
    expect([...mirror.crop(SHAPE).voxels]).toEqual(full(whole));
  });

  it('does not change the region that it was replaced by', () => {
    const whole: Region = { box: [[0, 1], [0, 1], [0, 2]], voxels: Uint8Array.of(1, 1) };
    const mirror = new Mirror();
    mirror.replace(whole);
    mirror.write({ box: [[0, 1], [0, 1], [0, 1]], voxels: Uint8Array.of(0) });
    expect([...whole.voxels]).toEqual([1, 1]);
  });
});

describe('edits', () => {
  it('turn the one into the other, and leave the rest of a third alone', () => {
    const next = random(4);
    for (let n = 0; n < 200; n++) {
      const before = randomRegion(next, SHAPE);
      const after = randomRegion(next, SHAPE);
      const edit = editBetween(before, after);
      const moved = crop(before, SHAPE);
      if (edit !== null) applyEdit(moved, edit);
      expect([...moved.voxels]).toEqual(full(after));

      const third = crop(randomRegion(next, SHAPE), SHAPE);
      const kept = [...third.voxels];
      if (edit !== null) applyEdit(third, edit);
      const [a, b] = [full(before), full(after)];
      expect([...third.voxels]).toEqual(kept.map((voxel, at) => (a[at] === b[at] ? voxel : b[at])));
    }
  });

  it('are applied to a part as to the whole', () => {
    const next = random(5);
    for (let n = 0; n < 100; n++) {
      const edit = editBetween(randomRegion(next, SHAPE), randomRegion(next, SHAPE));
      if (edit === null) continue;
      const whole = crop(randomRegion(next, SHAPE), SHAPE);
      const part = crop(whole, randomBox(next, SHAPE));
      applyEdit(whole, edit);
      applyEdit(part, edit);
      expect(part).toEqual(crop(whole, part.box));
    }
  });

  it('are nothing when nothing changed', () => {
    const region = randomRegion(random(6), SHAPE);
    expect(editBetween(region, crop(region, SHAPE))).toBeNull();
  });
});
