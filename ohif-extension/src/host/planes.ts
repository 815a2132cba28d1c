/** How the active viewport lies to a session's voxel axes, and turning it onto them. */

import { Grid } from '../geometry/grid';
import { nearestSlicePlane, planeOf } from '../geometry/plane';
import { AXES, cross, dot, minus, scaled, unit } from '../geometry/vectors';
import type { Geometry, Plane, Vector } from '../types';
import type { Camera, Viewport } from './cornerstone';
import { vector } from './view';

export function planeOfViewport(viewport: Viewport | undefined, geometry: Geometry): Plane {
  if (viewport?.getFrameOfReferenceUID() !== geometry.frameOfReferenceUid) return 'none';
  return planeOf(geometry, vector(viewport.getCamera().viewPlaneNormal));
}

/** Turn a volume viewport onto the nearest slice of the voxel grid, through the voxel centre next to where it looks. */
export function turnToSlice(viewport: Viewport, geometry: Geometry): void {
  const camera = viewport.getCamera();
  viewport.setCamera(sliceCamera(camera, geometry));
  viewport.render();
}

export function sliceCamera(camera: Camera, geometry: Geometry): Pick<Camera, 'viewPlaneNormal' | 'viewUp' | 'focalPoint' | 'position'> {
  const grid = new Grid(geometry);
  const { axis, normal } = nearestSlicePlane(geometry, vector(camera.viewPlaneNormal));
  const focalPoint = ontoSlice(grid, axis, vector(camera.focalPoint));
  const distance = Math.hypot(...minus(vector(camera.position), vector(camera.focalPoint)));
  return {
    viewPlaneNormal: normal,
    viewUp: upInPlane(grid, axis, normal, vector(camera.viewUp)),
    focalPoint,
    position: minus(focalPoint, scaled(normal, -distance)),
  };
}

function ontoSlice(grid: Grid, axis: 0 | 1 | 2, point: Vector): Vector {
  const index = grid.toContinuous(point);
  const last = grid.shape[axis] - 1;
  const slice = Math.min(Math.max(Math.round(index[axis]), 0), last);
  const snapped = AXES.map(n => (n === axis ? slice : index[n])) as unknown as Vector;
  return grid.toPatient(snapped);
}

/** The voxel axis in the plane that is closest to the old "up", so that the picture is not turned within its plane. */
function upInPlane(grid: Grid, axis: 0 | 1 | 2, normal: Vector, up: Vector): Vector {
  const others = AXES.filter(n => n !== axis).map(n => grid.directions[n]);
  const closest = others.reduce((best, other) => (Math.abs(dot(other, up)) > Math.abs(dot(best, up)) ? other : best));
  const signed = scaled(closest, dot(closest, up) >= 0 ? 1 : -1);
  return unit(cross(normal, cross(signed, normal)));
}
