import { describe, expect, it } from 'vitest';
import { Grid } from '../../src/geometry/grid';
import { planeOf } from '../../src/geometry/plane';
import { dot, unit } from '../../src/geometry/vectors';
import type { Geometry, Vector } from '../../src/types';
import { sliceCamera } from '../../src/host/planes';

/** Turned by 30 degrees around x; 2 mm slices of 1 mm pixels. */
const [c, s] = [Math.cos(Math.PI / 6), Math.sin(Math.PI / 6)];
const TURNED: Geometry = {
  shape: [40, 60, 60],
  affine: [
    [0, 0, 1, -30],
    [-2 * s, c, 0, 5],
    [2 * c, s, 0, 12],
    [0, 0, 0, 1],
  ],
  frameOfReferenceUid: '1.2.3',
};

const AXIAL_CAMERA = {
  viewPlaneNormal: [0, 0, -1] as Vector,
  viewUp: [0, -1, 0] as Vector,
  focalPoint: [0.3, 4.2, 50.9] as Vector,
  position: [0.3, 4.2, -49.1] as Vector,
};

describe('sliceCamera', () => {
  const camera = sliceCamera(AXIAL_CAMERA, TURNED);
  const grid = new Grid(TURNED);

  it('looks along the voxel axis that is nearest to where it looked', () => {
    expect(planeOf(TURNED, AXIAL_CAMERA.viewPlaneNormal)).toBe('oblique');
    expect(planeOf(TURNED, camera.viewPlaneNormal)).toBe('aligned');
    expect(dot(camera.viewPlaneNormal, AXIAL_CAMERA.viewPlaneNormal)).toBeCloseTo(c, 9);
  });

  it('looks at the middle of the nearest slice, without moving within it', () => {
    const [k, j, i] = grid.toContinuous(camera.focalPoint);
    const before = grid.toContinuous(AXIAL_CAMERA.focalPoint);
    expect(k).toBeCloseTo(Math.round(before[0]), 9);
    expect([j, i]).toEqual([expect.closeTo(before[1], 9), expect.closeTo(before[2], 9)]);
  });

  it('keeps its distance and stands on the side that it looks from', () => {
    const offset = camera.position.map((value, n) => value - camera.focalPoint[n]!) as unknown as Vector;
    expect(Math.hypot(...offset)).toBeCloseTo(100, 6);
    expect(dot(unit(offset), camera.viewPlaneNormal)).toBeCloseTo(1, 9);
  });

  it('keeps up up, along a voxel axis', () => {
    expect(dot(camera.viewUp, camera.viewPlaneNormal)).toBeCloseTo(0, 9);
    expect(Math.max(...grid.directions.map(axis => Math.abs(dot(axis, camera.viewUp))))).toBeCloseTo(1, 9);
    expect(dot(camera.viewUp, AXIAL_CAMERA.viewUp)).toBeGreaterThan(0.8);
  });

  it('stays in the volume when the camera looks past it', () => {
    const far = sliceCamera({ ...AXIAL_CAMERA, focalPoint: [0, 0, 900] }, TURNED);
    expect(grid.toContinuous(far.focalPoint)[0]).toBeCloseTo(TURNED.shape[0] - 1, 9);
  });
});
