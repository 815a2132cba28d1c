/** From what a person drew to what the service is sent, and back. */

import type { PromptBody, PromptReply } from '../api/wire';
import { encodeRegion } from '../labelmap/bits';
import { PROMPT_KINDS, type Drawing, type PromptKind, type Region, type SliceSource, type Vector } from '../types';

/** What of a session tells whether a drawing lies on one of its own images. */
export interface PromptTarget {
  readonly seriesInstanceUid: string;
  readonly frameOfReferenceUid: string;
  readonly slices: readonly SliceSource[];
}

/**
 * The request body of a drawing.
 *
 * An image is named only if it is one of the session's own: a drawing on another series of the same frame of reference
 * is taken by its position alone.
 */
export function promptBody(drawing: Drawing, target: PromptTarget, run: boolean): PromptBody {
  const { sopInstanceUid } = drawing;
  const own =
    sopInstanceUid !== undefined &&
    drawing.seriesInstanceUid === target.seriesInstanceUid &&
    target.slices.some(slice => slice.sopInstanceUid === sopInstanceUid);
  return {
    id: drawing.id,
    kind: drawing.kind,
    include: drawing.include,
    frame_of_reference_uid: drawing.frameOfReferenceUid,
    points: drawing.points.map(([x, y, z]): [number, number, number] => [x, y, z]),
    ...(drawing.kind === 'point' ? {} : { plane_normal: [...drawing.planeNormal] as [number, number, number] }),
    ...(own ? { sop_instance_uid: sopInstanceUid } : {}),
    ...(own && drawing.frameNumber !== undefined ? { frame_number: drawing.frameNumber } : {}),
    run,
  };
}

/** Whether a drawing was made on a series that only shares the session's frame of reference. */
export function isFused(drawing: Drawing, target: PromptTarget): boolean {
  return (
    drawing.seriesInstanceUid !== target.seriesInstanceUid && drawing.frameOfReferenceUid === target.frameOfReferenceUid
  );
}

/** The request body that makes a region the whole of a segment. */
export function labelmapBody(id: string, region: Region, frameOfReferenceUid: string): PromptBody {
  const { box, voxels, encoding } = encodeRegion(region);
  const span = (axis: 0 | 1 | 2): [number, number] => [box[axis][0], box[axis][1]];
  return {
    id,
    kind: 'labelmap',
    include: true,
    frame_of_reference_uid: frameOfReferenceUid,
    box: [span(0), span(1), span(2)],
    voxels,
    encoding,
    run: true,
  };
}

/**
 * A prompt that the service has, to be drawn again; null for a labelmap, which has nothing to draw.
 *
 * A point has no plane of its own: it is drawn on `sliceNormal`, that of the acquired slices.
 */
export function drawingOf(prompt: PromptReply, seriesInstanceUid: string, sliceNormal: Vector): Drawing | null {
  if (!isKind(prompt.kind)) return null;
  const points = prompt.points.map(vectorFrom);
  const onImage = prompt.sop_instance_uid ? { sopInstanceUid: prompt.sop_instance_uid } : {};
  const onFrame = prompt.frame_number ? { frameNumber: prompt.frame_number } : {};
  return {
    id: prompt.id,
    kind: prompt.kind,
    include: prompt.include,
    points,
    planeNormal: prompt.plane_normal ? vectorFrom(prompt.plane_normal) : sliceNormal,
    frameOfReferenceUid: prompt.frame_of_reference_uid,
    ...onImage,
    ...onFrame,
    seriesInstanceUid,
    finishedAt: 0,
  };
}

function isKind(kind: string): kind is PromptKind {
  return (PROMPT_KINDS as readonly string[]).includes(kind);
}

function vectorFrom(values: readonly number[]): Vector {
  const [x = Number.NaN, y = Number.NaN, z = Number.NaN] = values;
  return [x, y, z];
}
