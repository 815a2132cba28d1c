/** Which plane of the patient a viewport shows, and which acquired image that is. */

import { cross, dot, minus, unit } from '../geometry/vectors';
import type { SliceSource, Vector } from '../types';
import type { Core, Viewport } from './cornerstone';

/** Of a cosine: planes whose normals agree this well count as parallel (1.3 degrees). */
const PARALLEL = 0.99975;

/** Fraction of a slice by which a view may lie off an image's plane and still show that image. */
const ON_IMAGE = 0.25;

/** LPS mm, where neither volume nor neighbouring image tells the distance of slices. */
const FALLBACK_SPACING_MM = 1;

export interface View {
  /** A point of the plane, LPS mm. */
  readonly point: Vector;
  /** Unit length. */
  readonly normal: Vector;
  /** Distance of slices along the normal, mm. */
  readonly spacing: number;
}

export function viewOf(core: Core, viewport: Viewport): View {
  const normal = vector(viewport.getCamera().viewPlaneNormal);
  return { point: vector(viewport.canvasToWorld([0, 0])), normal, spacing: spacingOf(core, viewport, normal) };
}

/** Distance of a position from a view's plane, in slices. */
export function slicesOff(view: View, point: Vector): number {
  return Math.abs(dot(view.normal, minus(point, view.point))) / view.spacing;
}

export function isParallel(view: View, normal: Vector): boolean {
  return Math.abs(dot(view.normal, normal)) >= PARALLEL;
}

/** The acquired image that a viewport shows, or null on a reformatted plane and between images. */
export function acquiredImage(core: Core, viewport: Viewport, view: View): SliceSource | null {
  const imageId = viewport.getCurrentImageId?.();
  const plane = imageId === undefined ? undefined : core.metaData.get('imagePlaneModule', imageId);
  if (imageId === undefined || plane === undefined) return null;
  const normal = unit(cross(vector(plane.rowCosines), vector(plane.columnCosines)));
  if (!isParallel(view, normal) || slicesOff(view, vector(plane.imagePositionPatient)) > ON_IMAGE) return null;
  return sourceOf(core, imageId);
}

/** SOP Instance UID and frame number of an image. */
export function sourceOf(core: Core, imageId: string): SliceSource | null {
  const module = core.metaData.get('sopCommonModule', imageId);
  return module === undefined ? null : { sopInstanceUid: module.sopInstanceUID, frameNumber: frameNumber(imageId) };
}

function frameNumber(imageId: string): number {
  const found = /\/frames\/(\d+)|[?&]frame=(\d+)/.exec(imageId);
  return Number(found?.[1] ?? found?.[2] ?? 1);
}

function spacingOf(core: Core, viewport: Viewport, normal: Vector): number {
  if (viewport.type === 'stack') return stackSpacing(core, viewport, normal);
  const found = core.utilities.getTargetVolumeAndSpacingInNormalDir(viewport, viewport.getCamera());
  const spacing = found.spacingInNormalDirection;
  return spacing !== null && Number.isFinite(spacing) && spacing > 0 ? spacing : FALLBACK_SPACING_MM;
}

function stackSpacing(core: Core, viewport: Viewport, normal: Vector): number {
  const imageIds = viewport.getImageIds?.() ?? [];
  const current = imageIds.indexOf(viewport.getCurrentImageId?.() ?? '');
  const heightOf = (imageId: string | undefined) => {
    const plane = imageId === undefined ? undefined : core.metaData.get('imagePlaneModule', imageId);
    return plane === undefined ? Number.NaN : dot(normal, vector(plane.imagePositionPatient));
  };
  const here = heightOf(imageIds[current]);
  const distances = [imageIds[current - 1], imageIds[current + 1]]
    .map(imageId => Math.abs(heightOf(imageId) - here))
    .filter(distance => distance > 0);
  return distances.length === 0 ? FALLBACK_SPACING_MM : Math.min(...distances);
}

/** A plain vector of what cornerstone hands out as typed or ordinary arrays. */
export function vector(values: ArrayLike<number>): Vector {
  const [x = Number.NaN, y = Number.NaN, z = Number.NaN] = Array.from(values);
  return [x, y, z];
}
