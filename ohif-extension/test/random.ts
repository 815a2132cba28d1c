/** Repeatable random regions. */

import type { Bounds, Region } from '../src/types';
import { countOf } from '../src/labelmap/bounds';

/** Numbers from 0 up to 1 (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A box inside another that holds at least one voxel. */
export function randomBox(next: () => number, outer: Bounds): Bounds {
  const span = (axis: 0 | 1 | 2): readonly [number, number] => {
    const [from, to] = outer[axis];
    const first = from + Math.floor(next() * (to - from));
    return [first, first + 1 + Math.floor(next() * (to - first))];
  };
  return [span(0), span(1), span(2)];
}

export function randomRegion(next: () => number, outer: Bounds, density = 0.4): Region {
  const box = randomBox(next, outer);
  return { box, voxels: Uint8Array.from({ length: countOf(box) }, () => Number(next() < density)) };
}
