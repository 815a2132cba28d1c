/** How the panel writes measured numbers. */
import type { Vector } from '../types';

export function millimetres(length: number, withUnit = true): string {
  return `${length.toFixed(1)}${withUnit ? ' mm' : ''}`;
}

/** A position (LPS mm), coordinate by coordinate. */
export function position(at: Vector): string {
  return `${at.map(coordinate => (Number(coordinate.toFixed(1)) + 0).toFixed(1)).join(', ')} mm`; // no negative zero
}

export function squareCentimetres(squareMillimetres: number): string {
  return `${(squareMillimetres / 100).toFixed(1)} cm²`;
}

/** A value of the image: four significant digits, but no decimals from 1000 on. */
export function value(number: number): string {
  if (!Number.isFinite(number)) {
    return '–';
  }
  return Math.abs(number) >= 1000 ? number.toFixed(0) : String(Number(number.toPrecision(4)));
}
