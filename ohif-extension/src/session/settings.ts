/** Settings kept in the browser. */

import type { Colour, Settings } from '../types';

const KEY = 'delineate:settings';

/** Green includes, red excludes. */
export const DEFAULT_SETTINGS: Settings = {
  serviceUrl: '',
  mode: 'live',
  includeColour: [46, 204, 64],
  excludeColour: [255, 65, 54],
};

export function readSettings(storage: Storage | null): Settings {
  const stored = parsed(storage?.getItem(KEY) ?? null);
  return {
    serviceUrl: typeof stored.serviceUrl === 'string' ? stored.serviceUrl : DEFAULT_SETTINGS.serviceUrl,
    mode: stored.mode === 'collect' ? 'collect' : 'live',
    includeColour: colourOr(stored.includeColour, DEFAULT_SETTINGS.includeColour),
    excludeColour: colourOr(stored.excludeColour, DEFAULT_SETTINGS.excludeColour),
  };
}

export function writeSettings(storage: Storage | null, settings: Settings): void {
  try {
    storage?.setItem(KEY, JSON.stringify(settings));
  } catch {
    // a full or forbidden storage: the settings hold until the page is left
  }
}

function parsed(text: string | null): Partial<Record<keyof Settings, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function colourOr(value: unknown, otherwise: Colour): Colour {
  const isByte = (n: unknown) => typeof n === 'number' && Number.isInteger(n) && n >= 0 && n <= 255;
  return Array.isArray(value) && value.length === 3 && value.every(isByte)
    ? (value as unknown as Colour)
    : otherwise;
}
