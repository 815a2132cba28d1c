import { beforeEach, describe, expect, it } from 'vitest';

import { ViewerHistory } from '../../src/session/history';
import { FakeHistory } from '../fakes/host';

/** A segment's steps as the service has them. */
class Steps {
  done = 0;
  undone = 0;
  calls = 0;

  make(): void {
    this.done++;
    this.undone = 0;
  }

  undo(): void {
    this.calls++;
    this.done--;
    this.undone++;
  }

  redo(): void {
    this.calls++;
    this.done++;
    this.undone--;
  }
}

let viewer: FakeHistory;
let segments: Map<number, Steps>;
let history: ViewerHistory;

function of(segment: number): Steps {
  return segments.get(segment)!;
}

function make(segment: number): void {
  of(segment).make();
  history.remember(segment);
}

function panel(verb: 'undo' | 'redo', segment: number): void {
  of(segment)[verb]();
  if (verb === 'undo') history.panelUndid(segment);
  else history.panelRedid(segment);
}

beforeEach(() => {
  viewer = new FakeHistory();
  segments = new Map([
    [1, new Steps()],
    [2, new Steps()],
  ]);
  history = new ViewerHistory(
    { rememberStep: step => viewer.push(step) },
    {
      canUndo: n => of(n).done > 0,
      canRedo: n => of(n).undone > 0,
      undo: n => of(n).undo(),
      redo: n => of(n).redo(),
    }
  );
});

describe('the viewer’s own undo', () => {
  it('takes back steps in the order in which they were made, whichever segment they belong to', () => {
    make(1);
    make(2);
    make(1);
    viewer.undo();
    expect([of(1).done, of(2).done]).toEqual([1, 1]);
    viewer.undo();
    expect([of(1).done, of(2).done]).toEqual([1, 0]);
    viewer.redo();
    viewer.redo();
    expect([of(1).done, of(2).done]).toEqual([2, 1]);
  });

  it('is one undo for one press, also after the panel’s', () => {
    for (let n = 0; n < 3; n++) make(1);
    panel('undo', 1);
    viewer.undo();
    expect(of(1).done).toBe(1);
    viewer.undo();
    expect(of(1).done).toBe(0);
    viewer.undo();
    expect(of(1).done).toBe(0);
    expect(of(1).calls).toBe(3);
  });

  it('reaches what the panel did again', () => {
    make(1);
    make(1);
    viewer.undo();
    panel('redo', 1);
    expect(of(1).done).toBe(2);
    viewer.undo();
    viewer.undo();
    expect(of(1).done).toBe(0);
  });

  it('does not grow when the panel goes back and forth', () => {
    make(1);
    const { length } = viewer;
    for (let n = 0; n < 20; n++) {
      panel('undo', 1);
      panel('redo', 1);
    }
    expect(viewer.length).toBe(length);
    viewer.undo();
    expect(of(1).done).toBe(0);
  });

  it('does nothing, rather than something else, when a prompt had no effect', () => {
    history.remember(1);
    viewer.undo();
    viewer.redo();
    expect(of(1).calls).toBe(0);
  });
});
