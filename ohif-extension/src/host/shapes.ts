/** Strokes on the screen to the points of a prompt. */

import type { PromptKind } from '../types';
import type { CanvasPoint } from './cornerstone';

/** CSS pixels: a box with a shorter side, and a line or outline that spans less, is a slip of the hand. */
const LEAST_EXTENT_PX = 3;

/** What a stroke means for a kind of prompt: one point, four corners, a line or an outline; null for a slip. */
export function shapeOf(kind: PromptKind, points: readonly CanvasPoint[]): readonly CanvasPoint[] | null {
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return null;
  if (kind === 'point') return [last];
  if (kind === 'box') {
    const sides = [Math.abs(last[0] - first[0]), Math.abs(last[1] - first[1])];
    return Math.min(...sides) < LEAST_EXTENT_PX ? null : [first, [last[0], first[1]], last, [first[0], last[1]]];
  }
  const least = kind === 'lasso' ? 3 : 2;
  return points.length < least || extentOf(points) < LEAST_EXTENT_PX ? null : points;
}

function extentOf(points: readonly CanvasPoint[]): number {
  const span = (axis: 0 | 1) => {
    const values = points.map(point => point[axis]);
    return Math.max(...values) - Math.min(...values);
  };
  return Math.max(span(0), span(1));
}
