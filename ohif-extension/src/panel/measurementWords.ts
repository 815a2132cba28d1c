/** How the panel writes measured numbers. */

export function millimetres(length: number, withUnit = true): string {
  return `${length.toFixed(1)}${withUnit ? ' mm' : ''}`;
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
