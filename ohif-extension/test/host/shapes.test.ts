import { describe, expect, it } from 'vitest';
import { shapeOf } from '../../src/host/shapes';

describe('shapeOf', () => {
  it('takes the place where the mouse was released as the point', () => {
    expect(shapeOf('point', [[10, 10], [12, 11]])).toEqual([[12, 11]]);
  });

  it('makes the four corners of a box in order, whatever way it was drawn', () => {
    expect(shapeOf('box', [[30, 40], [20, 20], [10, 5]])).toEqual([[30, 40], [10, 40], [10, 5], [30, 5]]);
  });

  it.each([
    ['box', [[10, 10], [50, 12]]],
    ['box', [[10, 10]]],
    ['scribble', [[10, 10]]],
    ['scribble', [[10, 10], [11, 11]]],
    ['lasso', [[10, 10], [50, 50]]],
    ['lasso', [[10, 10], [11, 10], [11, 11]]],
    ['point', []],
  ] as const)('takes a %s through %j for a slip', (kind, points) => {
    expect(shapeOf(kind, points)).toBeNull();
  });

  it('keeps the points of a line and of an outline', () => {
    const points = [[0, 0], [10, 0], [10, 10]] as const;
    expect(shapeOf('scribble', points)).toEqual(points);
    expect(shapeOf('lasso', points)).toEqual(points);
  });
});
