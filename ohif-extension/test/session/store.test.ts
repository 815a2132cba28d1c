import { describe, expect, it, vi } from 'vitest';

import { Outbox } from '../../src/session/outbox';
import { DEFAULT_SETTINGS, readSettings, writeSettings } from '../../src/session/settings';
import { Store, initialState } from '../../src/session/store';
import type { SegmentState, SessionState } from '../../src/types';
import { FakeStorage } from '../fakes/storage';

function segment(number: number): SegmentState {
  const none = { category: null, type: null, region: null, laterality: null, problem: null, queuePosition: null };
  const counts = { volumeMl: 0, revision: 0, running: 0, collected: 0 };
  const flags = { visible: true, locked: false, canUndo: false, canRedo: false };
  return { number, label: `S${number}`, colour: [1, 2, 3], ...none, ...counts, ...flags };
}

describe('the store', () => {
  const session = { id: 's', segments: [segment(1), segment(2)] } as unknown as SessionState;

  it('replaces only what changed', () => {
    const store = new Store({ ...initialState(DEFAULT_SETTINGS), session });
    const before = store.state;
    store.updateSegment(2, { running: 1 });
    expect(store.state).not.toBe(before);
    expect(store.state.session!.segments[0]).toBe(before.session!.segments[0]);
    expect(store.segment(2)!.running).toBe(1);
    expect(before.session!.segments[1]!.running).toBe(0);
    expect(store.state.settings).toBe(before.settings);
  });

  it('tells nobody when nothing changed', () => {
    const store = new Store({ ...initialState(DEFAULT_SETTINGS), session });
    const listener = vi.fn();
    const unsubscribe = store.subscribe(listener);
    const before = store.state;
    store.update({ unsent: 0 });
    store.updateSegment(1, { running: 0 });
    store.updateSegment(9, { running: 7 });
    expect(listener).not.toHaveBeenCalled();
    expect(store.state).toBe(before);
    store.updateSegment(1, { running: 1 });
    expect(listener).toHaveBeenCalledTimes(1);
    unsubscribe();
    store.updateSegment(1, { running: 2 });
    expect(listener).toHaveBeenCalledTimes(1);
  });
});

describe('settings', () => {
  it('survive a reload', () => {
    const storage = new FakeStorage();
    const settings = { ...DEFAULT_SETTINGS, mode: 'collect', includeColour: [1, 2, 3] } as const;
    writeSettings(storage, settings);
    expect(readSettings(storage)).toEqual(settings);
  });

  it.each(['', 'null', '7', '{"mode":"x","includeColour":[1,2],"excludeColour":"red","serviceUrl":3}', '{'])(
    'are the usual ones where %j is stored',
    text => {
      const storage = new FakeStorage();
      storage.setItem('delineate:settings', text);
      expect(readSettings(storage)).toEqual(DEFAULT_SETTINGS);
    }
  );

  it('hold without a storage, and with a full one', () => {
    expect(readSettings(null)).toEqual(DEFAULT_SETTINGS);
    const storage = new FakeStorage();
    storage.full = true;
    writeSettings(storage, DEFAULT_SETTINGS);
    expect(storage.length).toBe(0);
  });
});

describe('the outbox', () => {
  it('forgets what is older than a week, and what it cannot read', () => {
    const storage = new FakeStorage();
    const old = { id: 'a', sessionId: 's', segment: 1, verb: 'undo', madeAt: Date.now() - 8 * 86_400_000 } as const;
    new Outbox(storage).put(old);
    new Outbox(storage).put({ ...old, id: 'b', madeAt: Date.now() });
    storage.setItem('delineate:unsent:s:c', '{');
    expect(new Outbox(storage).of('s').map(entry => entry.id)).toEqual(['b']);
  });

  it('gives later entries later times', () => {
    const outbox = new Outbox(null);
    const times = Array.from({ length: 100 }, () => outbox.now());
    expect(new Set(times).size).toBe(100);
    expect([...times].sort((a, b) => a - b)).toEqual(times);
  });
});
