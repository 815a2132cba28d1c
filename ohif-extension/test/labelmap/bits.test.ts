import { describe, expect, it } from 'vitest';

import patches from '../../../tests/corpus/patches.json';
import { VoxelsUnreadable, decodeRegion, encodeRegion } from '../../src/labelmap/bits';
import { boundsFrom } from '../../src/labelmap/bounds';
import type { Bounds, Region } from '../../src/types';

/** Voxels (k, j, i) that are set. */
function setIn({ box, voxels }: Region): number[][] {
  const [[k0], [j0, j1], [i0, i1]] = box;
  const [rows, columns] = [j1 - j0, i1 - i0];
  return [...voxels].flatMap((voxel, n) =>
    voxel === 0 ? [] : [[k0 + Math.floor(n / (rows * columns)), j0 + (Math.floor(n / columns) % rows), i0 + (n % columns)]]
  );
}

function regionOf(box: Bounds, isSet: (n: number) => boolean): Region {
  const count = box.reduce((product, [from, to]) => product * (to - from), 1);
  return { box, voxels: Uint8Array.from({ length: count }, (_, n) => Number(isSet(n))) };
}

describe('patches of the corpus', () => {
  const readable = patches.cases.filter(c => !('invalid' in c));
  const unreadable = patches.cases.filter(c => 'invalid' in c);

  it.each(readable)('$name', ({ box, voxels, set }) => {
    expect(setIn(decodeRegion({ box, voxels }))).toEqual(set);
  });

  it.each(unreadable)('$name', ({ box, voxels }) => {
    expect(() => decodeRegion({ box, voxels })).toThrow(VoxelsUnreadable);
  });

  it.each(readable)('$name: encoded here, it is the same again', ({ box, set }) => {
    const wanted = new Set(set!.map(index => index.join()));
    const empty = regionOf(boundsFrom(box), () => true);
    const indices = setIn(empty);
    const region = regionOf(boundsFrom(box), n => wanted.has(indices[n]!.join()));
    expect(setIn(decodeRegion(encodeRegion(region)))).toEqual(set);
  });
});

describe('encoding', () => {
  it.each([1, 7, 8, 9, 64, 65_537])('%i voxels survive', count => {
    const region = regionOf([[0, 1], [0, 1], [0, count]], n => (n * 2654435761) % 7 < 3);
    expect(decodeRegion(encodeRegion(region))).toEqual(region);
  });

  it('refuses a box that is none', () => {
    expect(() => decodeRegion({ box: [[0, 1], [3, 2], [0, 1]], voxels: 'awAA' })).toThrow(RangeError);
    expect(() => decodeRegion({ box: [[0, 1], [0, 1]], voxels: 'awAA' })).toThrow(RangeError);
  });

  it('asks for no more memory than any volume has', () => {
    expect(() => decodeRegion({ box: [[0, 4096], [0, 4096], [0, 4096]], voxels: 'awAA' })).toThrow(VoxelsUnreadable);
  });
});
