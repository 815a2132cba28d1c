import { expect, it } from 'vitest';
import { dateOf, nameOf } from '../../src/host/series';

it.each([
  ['Lovelace^Ada', 'Lovelace, Ada'],
  ['Lovelace^Ada^King^Lady^OBE', 'Lovelace, Ada King'],
  [{ Alphabetic: 'Yamada^Tarou' }, 'Yamada, Tarou'],
  [[{ Alphabetic: 'Phantom^Ada' }], 'Phantom, Ada'],
  ['PHANTOM', 'PHANTOM'],
  ['^Ada', 'Ada'],
  [{}, ''],
  [[], ''],
  [undefined, ''],
])('reads the name %j', (name, expected) => {
  expect(nameOf(name)).toBe(expected);
});

it.each([
  ['20260102', '2026-01-02'],
  ['2026.01.02', '2026.01.02'],
  [undefined, ''],
])('writes the date %j', (date, expected) => {
  expect(dateOf(date)).toBe(expected);
});
