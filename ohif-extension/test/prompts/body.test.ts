import { describe, expect, it } from 'vitest';

import prompts from '../../../tests/corpus/prompts.json';
import { decodeRegion } from '../../src/labelmap/bits';
import { drawingOf, isFused, labelmapBody, promptBody } from '../../src/prompts/body';
import type { Drawing, PromptKind, Vector } from '../../src/types';

const TARGET = {
  seriesInstanceUid: '1.4',
  frameOfReferenceUid: prompts.frame_of_reference_uid,
  slices: [],
};

interface CorpusPrompt {
  readonly id: string;
  readonly kind: string;
  readonly include: boolean;
  readonly frame_of_reference_uid: string;
  readonly points: readonly (readonly number[])[];
  readonly plane_normal?: readonly number[];
  readonly sop_instance_uid?: string;
  readonly frame_number?: number;
}

function vector(values: readonly number[]): Vector {
  const [x = Number.NaN, y = Number.NaN, z = Number.NaN] = values;
  return [x, y, z];
}

function drawn(prompt: CorpusPrompt): Drawing {
  return {
    id: prompt.id,
    kind: prompt.kind as PromptKind,
    include: prompt.include,
    points: prompt.points.map(vector),
    planeNormal: vector(prompt.plane_normal ?? [0, 0, 1]),
    frameOfReferenceUid: prompt.frame_of_reference_uid,
    ...(prompt.sop_instance_uid === undefined ? {} : { sopInstanceUid: prompt.sop_instance_uid }),
    ...(prompt.frame_number === undefined ? {} : { frameNumber: prompt.frame_number }),
    seriesInstanceUid: TARGET.seriesInstanceUid,
    finishedAt: 12,
  };
}

const cases = prompts.cases as readonly { readonly name: string; readonly prompt: CorpusPrompt; readonly expected: object }[];
const accepted = cases.filter(({ expected }) => !('error' in expected));

describe('a drawing becomes the prompt of the corpus', () => {
  it.each(accepted)('$name', ({ prompt }) => {
    const slices = [{ sopInstanceUid: prompt.sop_instance_uid ?? 'none', frameNumber: 1 }];
    expect(promptBody(drawn(prompt), { ...TARGET, slices }, true)).toEqual({ ...prompt, run: true });
  });

  it.each(accepted)('$name: and back', ({ prompt }) => {
    const reply = {
      plane_normal: null,
      sop_instance_uid: null,
      frame_number: null,
      ...(prompt as object),
      state: 'applied',
    } as unknown as Parameters<typeof drawingOf>[0];
    expect(drawingOf(reply, TARGET.seriesInstanceUid, [0, 0, 1])).toEqual({ ...drawn(prompt), finishedAt: 0 });
  });
});

describe('a drawing on another series of the frame of reference', () => {
  const point = drawn(cases.find(({ prompt }) => prompt.sop_instance_uid !== undefined)!.prompt);
  const slices = [{ sopInstanceUid: point.sopInstanceUid!, frameNumber: 1 }];

  it('names no image', () => {
    const fused = { ...point, seriesInstanceUid: '9.9', sopInstanceUid: '9.9.1', frameNumber: 3 };
    const body = promptBody(fused, { ...TARGET, slices }, true);
    expect(body).not.toHaveProperty('sop_instance_uid');
    expect(body).not.toHaveProperty('frame_number');
    expect(isFused(fused, TARGET)).toBe(true);
    expect(isFused(point, TARGET)).toBe(false);
  });

  it('is none in another frame of reference: the service refuses that one', () => {
    expect(isFused({ ...point, seriesInstanceUid: '9.9', frameOfReferenceUid: '7' }, TARGET)).toBe(false);
  });

  it('names no image that the session’s volume does not have', () => {
    expect(promptBody(point, { ...TARGET, slices: [] }, true)).not.toHaveProperty('sop_instance_uid');
    expect(promptBody(point, { ...TARGET, slices }, true)).toHaveProperty('sop_instance_uid', point.sopInstanceUid);
  });
});

describe('a labelmap', () => {
  it('is sent as the whole segment', () => {
    const region = { box: [[1, 2], [3, 5], [6, 9]] as const, voxels: Uint8Array.of(1, 0, 1, 0, 1, 1) };
    const body = labelmapBody('id', region, '1.2');
    expect(body).toMatchObject({ id: 'id', kind: 'labelmap', frame_of_reference_uid: '1.2', run: true });
    expect(decodeRegion({ box: body.box!, voxels: body.voxels! })).toEqual(region);
  });

  it('has nothing to draw', () => {
    const reply = { kind: 'labelmap', points: [], id: 'x' } as unknown as Parameters<typeof drawingOf>[0];
    expect(drawingOf(reply, '1', [0, 0, 1])).toBeNull();
  });
});
