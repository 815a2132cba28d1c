// @vitest-environment jsdom
import { afterEach, describe, expect, it } from 'vitest';

import {
  eachOnce,
  isFavourite,
  loadKept,
  offered,
  suggestedLabel,
  withFavouriteToggled,
  withRecent,
  type KeptEntries,
} from '../../src/panel/terminology';
import type { TerminologyEntry } from '../../src/types';
import { ANATOMY, KIDNEY, LEFT, TERMINOLOGY } from '../panel-harness/states';

const [kidney, artery, pelvis, liver] = TERMINOLOGY as readonly [
  TerminologyEntry,
  TerminologyEntry,
  TerminologyEntry,
  TerminologyEntry,
];
const NOTHING: KeptEntries = { favourites: [], recent: [] };
const STORAGE_KEY = 'delineate:terminology';

afterEach(() => localStorage.clear());

describe('kept entries', () => {
  it('puts the latest first, each once, and forgets the oldest', () => {
    const many = Array.from({ length: 12 }, (_, n) => ({ ...kidney, label: `Kidney ${n}` }));
    const kept = [...many, many[11], many[5]].filter(one => one !== undefined).reduce(withRecent, NOTHING);
    expect(kept.recent.map(one => one.label).slice(0, 3)).toEqual(['Kidney 5', 'Kidney 11', 'Kidney 10']);
    expect(kept.recent).toHaveLength(8);
  });

  it('toggles favourites', () => {
    const once = withFavouriteToggled(NOTHING, liver);
    expect(isFavourite(once, { ...liver })).toBe(true);
    expect(isFavourite(withFavouriteToggled(once, liver), liver)).toBe(false);
  });

  it.each(['{', 'null', '[]', '{"favourites": 3, "recent": [{"label": "x"}]}'])(
    'ignores a storage that holds %s',
    stored => {
      localStorage.setItem(STORAGE_KEY, stored);
      expect(loadKept()).toEqual(NOTHING);
    }
  );

  it('offers favourites, then recent ones, then what was found, each once', () => {
    const kept = { favourites: [pelvis], recent: [artery, liver, pelvis] };
    expect(eachOnce([...offered(kept, 'renal'), artery, pelvis]).map(one => one.label)).toEqual(['Renal pelvis', 'Renal artery']);
    expect(offered(kept, 'kid')).toEqual([]);
    expect(eachOnce(offered(kept, ' '))).toEqual([pelvis, artery, liver]);
  });
});

describe('suggested label', () => {
  it('puts the side before the name', () => {
    expect(suggestedLabel(kidney, null)).toBe('Kidney');
    expect(suggestedLabel(kidney, LEFT)).toBe('Left kidney');
  });

  it('puts the region after a finding, cut to what a label can be', () => {
    const cyst = { ...kidney, label: 'Cyst' };
    expect(suggestedLabel(cyst, LEFT, KIDNEY)).toBe('Cyst, left kidney');
    expect(suggestedLabel({ ...cyst, label: 'x'.repeat(60) }, null, KIDNEY)).toHaveLength(64);
  });

  it('keeps the capitals of an acronym', () => {
    const nerve = { ...kidney, label: 'CNVII nerve', category: ANATOMY };
    expect(suggestedLabel(nerve, LEFT)).toBe('Left CNVII nerve');
  });
});
