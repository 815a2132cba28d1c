/** The language-neutral cases of tests/corpus, which the service's Python runs as well. */

import { describe, expect, it } from 'vitest';

import mapping from '../../../tests/corpus/mapping.json';
import planes from '../../../tests/corpus/planes.json';
import prompts from '../../../tests/corpus/prompts.json';
import { Grid } from '../../src/geometry/grid';
import { nearestSlicePlane, planeOf } from '../../src/geometry/plane';
import type { Geometry, Vector } from '../../src/types';

const geometries = prompts.geometries as Record<string, { shape: number[]; affine: number[][] } | undefined>;

function geometryOf({ shape, affine }: { shape: number[]; affine: number[][] }): Geometry {
  return { shape: vector(shape), affine, frameOfReferenceUid: '1.2' };
}

function vector(values: readonly number[]): Vector {
  const [a = Number.NaN, b = Number.NaN, c = Number.NaN] = values;
  return [a, b, c];
}

describe('mapping', () => {
  it.each(mapping.cases)('$name', ({ shape, affine, points, continuous, indices, inside }) => {
    const grid = new Grid(geometryOf({ shape, affine }));
    points.forEach((point, n) => {
      const index = grid.toIndex(vector(point));
      grid.toContinuous(vector(point)).forEach((value, axis) => expect(value).toBeCloseTo(continuous[n]![axis]!, 5));
      expect(index).toEqual(indices[n]);
      expect(grid.holds(index)).toBe(inside[n]);
      grid.toPatient(vector(continuous[n]!)).forEach((value, axis) => expect(value).toBeCloseTo(point[axis]!, 4));
    });
  });
});

describe('planes', () => {
  it.each(planes.cases)('$name', ({ geometry, normal, plane, nearest_axis, nearest_normal }) => {
    const grid = geometryOf(geometries[geometry]!);
    expect(planeOf(grid, vector(normal))).toBe(plane);
    const nearest = nearestSlicePlane(grid, vector(normal));
    expect(nearest.axis).toBe(nearest_axis);
    nearest.normal.forEach((value, axis) => expect(value).toBeCloseTo(nearest_normal[axis]!, 9));
  });
});

describe('prompts', () => {
  const drawn = prompts.cases.filter(({ prompt }) => 'plane_normal' in prompt);
  const refused = drawn.filter(({ expected }) => 'error' in expected && expected.error === 'prompt-plane-unsupported');

  it.each(refused)('$name: known before it is sent', ({ geometry, prompt }) => {
    expect(planeOf(geometryOf(geometries[geometry]!), vector(prompt.plane_normal!))).toBe('oblique');
  });

  const aligned = drawn.filter(({ name }) => /on slice [kji]/.test(name));

  it.each(aligned)('$name: on an aligned plane', ({ geometry, prompt }) => {
    expect(planeOf(geometryOf(geometries[geometry]!), vector(prompt.plane_normal!))).toBe('aligned');
  });

  it('has cases of both kinds', () => {
    expect(refused.length).toBeGreaterThan(2);
    expect(aligned.length).toBeGreaterThan(20);
  });
});
