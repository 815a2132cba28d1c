/** How the panel says things: names, dates, volumes, and what to do about a problem. */
import type { Code, Colour, PromptKind, SegmentState } from '../types';

export const KIND_NAMES: Readonly<Record<PromptKind, string>> = {
  point: 'Point',
  box: 'Box',
  scribble: 'Scribble',
  lasso: 'Lasso',
};

export const KIND_KEYS: Readonly<Record<PromptKind, string>> = { point: 'P', box: 'B', scribble: 'S', lasso: 'L' };

const HOW_TO_DRAW: Readonly<Record<PromptKind, string>> = {
  point: 'Click in the image',
  box: 'Drag a box in the image',
  scribble: 'Draw a line in the image',
  lasso: 'Outline an area in the image',
};

/** What the next drawing does, in one sentence. */
export function drawingHint(tool: PromptKind | null, include: boolean): string {
  return tool === null
    ? 'Pick a prompt, then draw in the image.'
    : `${HOW_TO_DRAW[tool]} to ${include ? 'include' : 'exclude'} tissue.`;
}

/** A DICOM person name (PS3.5 6.2.1.1) as it is written on a worklist: `Family, Given`. */
export function personName(value: string): string {
  const [alphabetic = ''] = value.split('=');
  const [family = '', given = '', middle = ''] = alphabetic.split('^').map(part => part.trim());
  const first = [given, middle].filter(Boolean).join(' ');
  return [family, first].filter(Boolean).join(', ');
}

/** A DICOM date (YYYYMMDD) as YYYY-MM-DD; anything else unchanged. */
export function studyDate(value: string): string {
  const match = /^(\d{4})(\d{2})(\d{2})$/.exec(value);
  return match ? `${match[1]}-${match[2]}-${match[3]}` : value;
}

/** Millilitres with three significant digits, but no more than two decimals. */
export function volume(millilitres: number): string {
  const digits = millilitres >= 99.95 || millilitres === 0 ? 0 : millilitres >= 9.995 ? 1 : 2;
  return `${millilitres.toFixed(digits)} mL`;
}

/** `just now`, `5 min ago`, `3 h ago`, or the day and time; both in seconds since the epoch. */
export function ago(then: number, now: number): string {
  const seconds = Math.max(0, now - then);
  if (seconds < 90) {
    return 'just now';
  }
  if (seconds < 3600) {
    return `${Math.round(seconds / 60)} min ago`;
  }
  if (seconds < 12 * 3600) {
    return `${Math.round(seconds / 3600)} h ago`;
  }
  return new Date(then * 1000).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** The codes of a segment in words: `Kidney, Left`; `Cyst, Kidney, Left`. */
export function codedName({ type, region, laterality }: Pick<SegmentState, 'type' | 'region' | 'laterality'>): string | null {
  return type === null ? null : [type, region, laterality].flatMap(code => code?.meaning ?? []).join(', ');
}

export function segmentName(segment: Pick<SegmentState, 'number' | 'label'>): string {
  return segment.label.trim() || `Segment ${segment.number}`;
}

export function sameCode(one: Code | null, other: Code | null): boolean {
  return one?.value === other?.value && one?.scheme === other?.scheme;
}

export function hex(colour: Colour): string {
  return `#${colour.map(channel => Math.round(channel).toString(16).padStart(2, '0')).join('')}`;
}

export function colourOf(value: string): Colour {
  const at = (start: number) => parseInt(value.slice(start, start + 2), 16);
  return [at(1), at(3), at(5)];
}

const ADVICE: Readonly<Record<string, string>> = {
  'missing-slice': 'Choose another series, or have the missing image sent again.',
  'duplicate-positions': 'Choose another series of this study.',
  'mixed-orientations': 'Choose another series of this study.',
  'non-uniform-spacing': 'Choose a reconstruction with even slice spacing.',
  'gantry-tilt': 'Choose a series without gantry tilt, or a reconstruction of this one.',
  'several-frames-of-reference': 'Choose another series of this study.',
  'unsupported-pixels': 'Choose another series of this study.',
  'not-an-image': 'Choose an image series.',
  'series-changed': 'Start a new session on the series as it is now.',
  'prompt-outside-volume': 'Draw inside the image of the series that the session was started on.',
  'wrong-frame-of-reference': 'Draw on the series that the session was started on.',
  'prompt-plane-unsupported': 'Turn to a slice plane, or use a kind of prompt that works here.',
  'session-closed': 'Start a new session.',
  'segment-locked': 'Unlock the segment first.',
  'segment-empty': 'Draw in the segment, or delete it.',
  'segment-unnamed': 'Name the segment from the list.',
  'archive-unreachable': 'Try again in a moment. If it goes on, tell the PACS administrator.',
  'archive-timeout': 'Try again in a moment. If it goes on, tell the PACS administrator.',
  'archive-denied': 'Ask the PACS administrator for access to this study.',
  'store-refused': 'Nothing is lost. Tell the PACS administrator, then try again.',
  'stored-differently': 'Nothing is lost. Do not use the stored copy; tell the PACS administrator.',
  'licence-not-accepted': "The administrator has to accept the model's licence.",
  'model-not-found': 'Tell the administrator that no model is installed.',
  'segmenter-busy': 'Wait a moment, then draw again.',
  'prediction-failed': 'Draw again. If it goes on, tell the administrator.',
  'not-authenticated': 'Sign in again.',
  'not-permitted': 'Ask the administrator for the right to do this.',
};

/** What to do about a problem of this type, or null where its own words must do. */
export function advice(type: string): string | null {
  return ADVICE[type.slice(type.lastIndexOf(':') + 1)] ?? null;
}
