import { expect, it, vi } from 'vitest';
import type { History, Memo } from '../../src/host/cornerstone';
import { remember } from '../../src/host/history';

/** A list that behaves as cornerstone's ring does. */
function historyWith(...memos: Memo[]): History & { readonly memos: Memo[] } {
  return {
    memos,
    canUndo: true,
    canRedo: false,
    push: memo => memos.push(memo),
    undo: () => memos.pop()?.restoreMemo(true),
    redo: () => undefined,
    replaceCurrentMemo(memo, condition) {
      const current = memos.at(-1);
      if (current === undefined || !condition(current)) return false;
      memos[memos.length - 1] = memo;
      return true;
    },
  };
}

const isOurs = (segmentationId: string) => segmentationId.startsWith('ours');

it('runs the step that the viewer asks for', () => {
  const step = { undo: vi.fn(), redo: vi.fn() };
  const history = historyWith();
  remember(history, step, isOurs);
  history.memos[0]?.restoreMemo(true);
  expect([step.undo.mock.calls.length, step.redo.mock.calls.length]).toEqual([1, 0]);
  history.memos[0]?.restoreMemo(false);
  expect([step.undo.mock.calls.length, step.redo.mock.calls.length]).toEqual([1, 1]);
});

it("takes the place of the brush's own memo on one of our segments, and of no other", () => {
  const stroke = (segmentationId: string): Memo => ({ operationType: 'labelmap', segmentationId, restoreMemo: vi.fn() });
  const step = { undo: vi.fn(), redo: vi.fn() };
  const ours = historyWith(stroke('ours-1'));
  remember(ours, step, isOurs);
  expect(ours.memos).toHaveLength(1);
  const others = historyWith(stroke('another'));
  remember(others, step, isOurs);
  expect(others.memos).toHaveLength(2);
});
