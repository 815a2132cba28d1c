/** Coded names for the picker: the service's search, with what was used before and what was marked first. */
import { useEffect, useMemo, useState } from 'react';

import type { Code, SegmentState, TerminologyEntry } from '../types';
import { useActions } from './controller';
import { sameCode } from './words';

const STORAGE_KEY = 'delineate:terminology';
const MAX_RECENT = 8;
const SEARCH_DELAY_MS = 200;

/** Entries kept in this browser. */
export interface KeptEntries {
  readonly favourites: readonly TerminologyEntry[];
  readonly recent: readonly TerminologyEntry[];
}

const NOTHING_KEPT: KeptEntries = { favourites: [], recent: [] };

function isEntry(value: unknown): value is TerminologyEntry {
  const entry = value as Partial<TerminologyEntry> | null;
  return (
    typeof entry?.label === 'string' &&
    typeof entry.type?.value === 'string' &&
    typeof entry.category?.value === 'string' &&
    Array.isArray(entry.lateralities)
  );
}

/** What was kept, or nothing where the storage is closed, empty, or holds what this version does not know. */
export function loadKept(): KeptEntries {
  try {
    const stored = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? '{}') as Record<string, unknown> | null;
    const entries = (value: unknown) => (Array.isArray(value) ? value.filter(isEntry) : []);
    return { favourites: entries(stored?.favourites), recent: entries(stored?.recent) };
  } catch {
    return NOTHING_KEPT;
  }
}

function saveKept(kept: KeptEntries): KeptEntries {
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(kept));
  } catch {
    // Full or closed storage costs a convenience only.
  }
  return kept;
}

export function sameEntry(one: TerminologyEntry, other: TerminologyEntry): boolean {
  const sameCodes = sameCode(one.type, other.type) && sameCode(one.category, other.category);
  return sameCodes && one.label === other.label && one.side?.value === other.side?.value;
}

const without = (entries: readonly TerminologyEntry[], entry: TerminologyEntry) =>
  entries.filter(one => !sameEntry(one, entry));

export function withRecent(kept: KeptEntries, entry: TerminologyEntry): KeptEntries {
  return { ...kept, recent: [entry, ...without(kept.recent, entry)].slice(0, MAX_RECENT) };
}

export function isFavourite(kept: KeptEntries, entry: TerminologyEntry): boolean {
  return kept.favourites.some(one => sameEntry(one, entry));
}

export function withFavouriteToggled(kept: KeptEntries, entry: TerminologyEntry): KeptEntries {
  const rest = without(kept.favourites, entry);
  return { ...kept, favourites: isFavourite(kept, entry) ? rest : [...rest, entry] };
}

export function useKept(): readonly [KeptEntries, (change: (kept: KeptEntries) => KeptEntries) => void] {
  const [kept, setKept] = useState(loadKept);
  // Read again before writing: another window may have written meanwhile.
  return [kept, change => setKept(saveKept(change(loadKept())))];
}

function matches(entry: TerminologyEntry, query: string): boolean {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every(word => entry.label.toLowerCase().includes(word));
}

/** Favourites, the site's presets and recent entries first, then found ones, each once; found ones need a query. */
export function offered(
  kept: KeptEntries,
  query: string,
  found: readonly TerminologyEntry[],
  presets: readonly TerminologyEntry[] = []
): readonly TerminologyEntry[] {
  const own = [...kept.favourites, ...presets, ...kept.recent].filter(entry => matches(entry, query));
  const all = [...own, ...(query.trim() === '' ? [] : found)];
  return all.filter((entry, index) => all.findIndex(one => sameEntry(one, entry)) === index);
}

/**
 * What the service finds, a moment after the last change of the query; answers to older queries are dropped.
 *
 * Until the answer is there, what was found before stays only where it fits the new query: Enter must never choose what
 * was not asked for.
 */
export function useSearch(query: string): { readonly found: readonly TerminologyEntry[]; readonly searching: boolean } {
  const actions = useActions();
  const wanted = query.trim();
  const [answer, setAnswer] = useState<{ query: string; found: readonly TerminologyEntry[] }>({ query: '', found: [] });
  useEffect(() => {
    if (wanted === '') {
      return undefined;
    }
    let current = true;
    const timer = setTimeout(() => {
      void actions.searchTerminology(wanted).then(found => current && setAnswer({ query: wanted, found }));
    }, SEARCH_DELAY_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [actions, wanted]);
  const searching = wanted !== '' && answer.query !== wanted;
  const found = searching ? answer.found.filter(entry => matches(entry, wanted)) : answer.found;
  return { found: wanted === '' ? [] : found, searching };
}

/** The site's presets, once the service has said them. */
export function usePresets(): readonly TerminologyEntry[] {
  const actions = useActions();
  const [presets, setPresets] = useState<readonly TerminologyEntry[]>([]);
  useEffect(() => {
    let current = true;
    void actions.sitePresets().then(found => current && setPresets(found));
    return () => {
      current = false;
    };
  }, [actions]);
  return presets;
}

/** The terminology entry of the segment's codes: as it was kept or chosen, else looked up once by its meaning. */
export function useEntryOf(
  segment: SegmentState,
  kept: KeptEntries,
  chosen: TerminologyEntry | null
): TerminologyEntry | null {
  const actions = useActions();
  const { type } = segment;
  const known = useMemo(() => {
    const candidates = [...(chosen ? [chosen] : []), ...kept.favourites, ...kept.recent];
    const ofTerminology = candidates.filter(one => one.side === undefined);
    return type === null ? null : (ofTerminology.find(one => sameCode(one.type, type)) ?? null);
  }, [chosen, kept, type]);
  const [lookedUp, setLookedUp] = useState<TerminologyEntry | null>(null);
  useEffect(() => {
    if (type === null || known !== null) {
      return undefined;
    }
    let current = true;
    void actions
      .searchTerminology(type.meaning)
      .then(found => current && setLookedUp(found.find(one => sameCode(one.type, type)) ?? null));
    return () => {
      current = false;
    };
  }, [actions, known, type]);
  return known ?? (lookedUp !== null && sameCode(lookedUp.type, type) ? lookedUp : null);
}

/** `Left kidney`: the label that an entry and a laterality suggest. */
export function suggestedLabel(entry: TerminologyEntry, laterality: Code | null): string {
  if (laterality === null) {
    return entry.label;
  }
  const isAcronym = /^[A-Z]{2}/.test(entry.label);
  return `${laterality.meaning} ${isAcronym ? entry.label : entry.label.charAt(0).toLowerCase() + entry.label.slice(1)}`;
}
