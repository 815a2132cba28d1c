/** Coded names for the picker: the service's search, with what was used before and what was marked first. */
import { useEffect, useState } from 'react';

import type { Code, SearchAmong, TerminologyEntry } from '../types';
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
    typeof entry.takesRegion === 'boolean' &&
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
  const [place, otherPlace] = [one.preset, other.preset];
  const samePlace = (place === undefined) === (otherPlace === undefined) &&
    sameCode(place?.region ?? null, otherPlace?.region ?? null) &&
    sameCode(place?.laterality ?? null, otherPlace?.laterality ?? null);
  return sameCodes && samePlace && one.label === other.label;
}

export function eachOnce(entries: readonly TerminologyEntry[]): TerminologyEntry[] {
  return entries.filter((entry, index) => entries.findIndex(one => sameEntry(one, entry)) === index);
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

/** What is offered before anything that a search finds: favourites, the site's presets, recent entries. */
export function offered(
  kept: KeptEntries,
  query: string,
  presets: readonly TerminologyEntry[] = []
): readonly TerminologyEntry[] {
  return [...kept.favourites, ...presets, ...kept.recent].filter(entry => matches(entry, query));
}

/**
 * What the service finds, a moment after the last change of the query; answers to older queries are dropped.
 *
 * Until the answer is there, what was found before stays only where it fits the new query: Enter must never choose what
 * was not asked for.
 */
export function useSearch(
  query: string,
  among: SearchAmong
): { readonly found: readonly TerminologyEntry[]; readonly searching: boolean } {
  const actions = useActions();
  const wanted = query.trim();
  const [answer, setAnswer] = useState<{ query: string; found: readonly TerminologyEntry[] }>({ query: '', found: [] });
  useEffect(() => {
    if (wanted === '') {
      return undefined;
    }
    let current = true;
    const timer = setTimeout(() => {
      void actions.searchTerminology(wanted, among).then(found => current && setAnswer({ query: wanted, found }));
    }, SEARCH_DELAY_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [actions, wanted, among]);
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

/** The entry of a segment's code: one of the candidates, else looked up once by its meaning. */
export function useEntryOf(
  wanted: Code | null,
  among: SearchAmong,
  candidates: readonly TerminologyEntry[]
): TerminologyEntry | null {
  const actions = useActions();
  const known = wanted && (candidates.find(one => !one.preset && sameCode(one.type, wanted)) ?? null);
  const isKnown = known !== null;
  const [lookedUp, setLookedUp] = useState<TerminologyEntry | null>(null);
  useEffect(() => {
    if (wanted === null || isKnown) {
      return undefined;
    }
    let current = true;
    void actions
      .searchTerminology(wanted.meaning, among)
      .then(found => current && setLookedUp(found.find(one => sameCode(one.type, wanted)) ?? null));
    return () => {
      current = false;
    };
  }, [actions, isKnown, wanted, among]);
  return known ?? (lookedUp !== null && sameCode(lookedUp.type, wanted) ? lookedUp : null);
}

const MAX_LABEL = 64;

/** `Left kidney`, `Cyst, left kidney`: the label that a type suggests, with the region and the laterality if any. */
export function suggestedLabel(type: TerminologyEntry, laterality: Code | null, region: Code | null = null): string {
  const suggested = region
    ? `${type.label}, ${inSentence(sided(region.meaning, laterality))}`
    : sided(type.label, laterality);
  return suggested.slice(0, MAX_LABEL);
}

const sided = (name: string, laterality: Code | null) =>
  laterality === null ? name : `${laterality.meaning} ${inSentence(name)}`;

const inSentence = (name: string) => (/^[A-Z]{2}/.test(name) ? name : name.charAt(0).toLowerCase() + name.slice(1));
