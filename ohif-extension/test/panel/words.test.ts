import { describe, expect, it } from 'vitest';

import {
  advice,
  ago,
  codedName,
  colourOf,
  drawingHint,
  hex,
  personName,
  studyDate,
  volume,
} from '../../src/panel/words';
import { CYST, KIDNEY, LEFT } from '../panel-harness/states';

describe('words', () => {
  it.each([
    ['Okonkwo^Adaeze^M', 'Okonkwo, Adaeze M'],
    ['Yamada^Tarou=山田^太郎=やまだ^たろう', 'Yamada, Tarou'],
    ['ANONYMOUS', 'ANONYMOUS'],
    ['^Given', 'Given'],
    ['', ''],
  ])('writes the person name %s as %s', (value, expected) => {
    expect(personName(value)).toBe(expected);
  });

  it('writes DICOM dates with hyphens and leaves others as they are', () => {
    expect(studyDate('20261102')).toBe('2026-11-02');
    expect(studyDate('02-Nov-2026')).toBe('02-Nov-2026');
    expect(studyDate('')).toBe('');
  });

  it.each([
    [0, '0 mL'],
    [0.0512, '0.05 mL'],
    [3.4, '3.40 mL'],
    [9.996, '10.0 mL'],
    [12.38, '12.4 mL'],
    [99.96, '100 mL'],
    [148.2, '148 mL'],
    [1530, '1530 mL'],
  ])('writes %f mL as %s', (millilitres, expected) => {
    expect(volume(millilitres)).toBe(expected);
  });

  it('tells how long ago in the unit that fits', () => {
    expect(ago(1000, 1010)).toBe('just now');
    expect(ago(1000, 1000 + 780)).toBe('13 min ago');
    expect(ago(1000, 1000 + 7300)).toBe('2 h ago');
    expect(ago(0, 10 * 86_400)).toMatch(/1970|1969/);
    // Another machine's clock may be ahead.
    expect(ago(2000, 1000)).toBe('just now');
  });

  it('converts colours both ways', () => {
    expect(hex([80, 130, 245])).toBe('#5082f5');
    expect(colourOf('#5082f5')).toEqual([80, 130, 245]);
  });

  it('joins type, region and laterality', () => {
    expect(codedName({ type: KIDNEY, region: null, laterality: LEFT })).toBe('Kidney, Left');
    expect(codedName({ type: KIDNEY, region: null, laterality: null })).toBe('Kidney');
    expect(codedName({ type: CYST, region: KIDNEY, laterality: LEFT })).toBe('Cyst, Kidney, Left');
    expect(codedName({ type: null, region: null, laterality: null })).toBeNull();
  });

  it('says what the next drawing does', () => {
    expect(drawingHint(null, true)).toBe('Pick a prompt, then draw in the image.');
    expect(drawingHint('lasso', false)).toBe('Outline an area in the image to exclude tissue.');
  });

  it('advises by the type, with or without the prefix of the service', () => {
    expect(advice('urn:delineate:problem:gantry-tilt')).toBe(advice('gantry-tilt'));
    expect(advice('gantry-tilt')).toMatch(/without gantry tilt/);
    expect(advice('something-new')).toBeNull();
  });
});
