/** Our steps on the viewer's own undo history, so that its buttons and keys reach them. */

import type { History, Memo } from './cornerstone';

export interface Step {
  undo(): void;
  redo(): void;
}

/**
 * Push a step. A stroke of the viewer's brush on one of our segments has pushed a memo of its own, which would undo the
 * voxels behind the session's back: the step that the session makes of it takes the memo's place.
 */
export function remember(history: History, step: Step, isOurs: (segmentationId: string) => boolean): void {
  const memo: Memo = { restoreMemo: isUndo => (isUndo === false ? step.redo() : step.undo()) };
  const isStroke = ({ operationType, segmentationId }: Memo) =>
    operationType === 'labelmap' && segmentationId !== undefined && isOurs(segmentationId);
  if (!history.replaceCurrentMemo(memo, isStroke)) history.push(memo);
}
