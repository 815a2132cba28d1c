import { describe, expect, it } from 'vitest';

import { acceptHindrances, kindsDo, refusedKinds, whyNoDrawing } from '../../src/panel/availability';
import type { PanelState } from '../../src/types';
import { DEMO_MODEL, READY, SEGMENT, SESSION, withSession } from '../panel-harness/states';

const hindrances = (state: PanelState) => acceptHindrances(state, state.session ?? SESSION).map(one => one.text);

describe('what can be drawn', () => {
  it('refuses kinds on an oblique plane only that the model does not take there', () => {
    expect(refusedKinds({ ...READY, plane: 'oblique' })).toEqual({ never: [], here: ['box', 'lasso'] });
    expect(refusedKinds({ ...READY, plane: 'aligned' })).toEqual({ never: [], here: [] });
    expect(refusedKinds({ ...READY, plane: 'none' })).toEqual({ never: [], here: [] });
  });

  it('keeps apart kinds that the model never takes', () => {
    const model = { ...DEMO_MODEL, prompts: ['point', 'box'] as const, obliquePrompts: ['point'] as const };
    expect(refusedKinds({ ...READY, model, plane: 'oblique' })).toEqual({
      never: ['scribble', 'lasso'],
      here: ['box'],
    });
  });

  it('lets drawing go on while the connection is lost', () => {
    expect(whyNoDrawing({ ...READY, connection: 'offline', model: null }, SESSION)).toBeNull();
  });

  it('lets the first drawing open the session', () => {
    expect(whyNoDrawing(READY, null)).toBeNull();
    expect(whyNoDrawing(withSession({ state: 'loading' }), { ...SESSION, state: 'loading' })).toBeNull();
    expect(whyNoDrawing({ ...READY, volumeChoices: [{ key: 'a', description: 'A' }] }, null)).toBe(
      'Choose a volume first.'
    );
  });

  it.each([
    [withSession({}, { model: null }), 'The service has no model.'],
    [withSession({ segments: [{ ...SEGMENT, locked: true }] }), 'Left lateral ventricle is locked.'],
  ])('gives the reason why nothing can be drawn (%#)', (state, reason) => {
    expect(whyNoDrawing(state, state.session ?? SESSION)).toBe(reason);
  });

  it('agrees subject and verb', () => {
    expect(kindsDo(['scribble'])).toBe('Scribble does');
    expect(kindsDo(['box', 'lasso'])).toBe('Box and lasso do');
    expect(kindsDo(['box', 'scribble', 'lasso'])).toBe('Box, scribble and lasso do');
  });
});

describe('what keeps a session from being accepted', () => {
  it('is nothing when every segment is named, filled and at rest', () => {
    expect(hindrances(READY)).toEqual([]);
  });

  it.each([
    [withSession({ state: 'loading' }), ['The session is not ready yet.']],
    [withSession({ segments: [] }), ['There is no segment yet.']],
    [
      withSession({ segments: [{ ...SEGMENT, running: 1 }] }, { connection: 'offline', unsent: 1 }),
      ['No connection: accept when it is back.'],
    ],
    [withSession({}, { unsent: 2 }), ['Not sent yet: 2 prompts']],
    [withSession({ segments: [{ ...SEGMENT, running: 1 }] }), ['Still running: Left lateral ventricle']],
    [withSession({ segments: [{ ...SEGMENT, collected: 1 }] }), ['Prompts not run: Left lateral ventricle']],
    [withSession({ segments: [{ ...SEGMENT, volumeMl: 0 }] }), ['Empty: Left lateral ventricle']],
    [withSession({ segments: [{ ...SEGMENT, label: '', type: null }] }), ['No coded name: Segment 1']],
  ])('is said (%#)', (state, expected) => {
    expect(hindrances(state)).toEqual(expected);
  });
});
