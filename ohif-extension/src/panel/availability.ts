/** What can be drawn and accepted now, and if not, why: pure functions of the state, in words for the panel. */
import { PROMPT_KINDS, type PanelState, type PromptKind, type SegmentState, type SessionState } from '../types';
import { count, KIND_NAMES, segmentName } from './words';

export function activeSegment(session: SessionState): SegmentState | null {
  return session.segments.find(one => one.number === session.activeSegment) ?? null;
}

/** Whether a session can be started on the series of the active viewport. */
export function canStart(state: PanelState): boolean {
  return state.series !== null && state.connection === 'online' && state.model !== null;
}

/**
 * Why nothing at all can be drawn, or null.
 *
 * Drawing goes on while the connection is lost and while a session is opened; without a session it opens one.
 */
export function whyNoDrawing(state: PanelState, session: SessionState | null): string | null {
  if (session === null) {
    return state.volumeChoices.length > 0 ? 'Choose a volume first.' : null;
  }
  if (state.model === null && state.connection === 'online') {
    return 'The service has no model.';
  }
  const active = activeSegment(session);
  return active?.locked ? `${segmentName(active)} is locked.` : null;
}

/** Kinds that the model does not take at all, and those that it does not take on the plane of the active viewport. */
export function refusedKinds(state: PanelState): {
  readonly never: readonly PromptKind[];
  readonly here: readonly PromptKind[];
} {
  const { model, plane } = state;
  if (model === null) {
    return { never: [], here: [] };
  }
  const never = PROMPT_KINDS.filter(kind => !model.prompts.includes(kind));
  const here =
    plane === 'oblique'
      ? PROMPT_KINDS.filter(kind => !never.includes(kind) && !model.obliquePrompts.includes(kind))
      : [];
  return { never, here };
}

/** `Box and lasso do`, `Scribble does`: the subject and its verb. */
export function kindsDo(kinds: readonly PromptKind[]): string {
  const names = kinds.map((kind, index) => (index === 0 ? KIND_NAMES[kind] : KIND_NAMES[kind].toLowerCase()));
  const last = names.length > 1 ? ` and ${names[names.length - 1]}` : '';
  const first = names.length > 1 ? names.slice(0, -1).join(', ') : names.join('');
  return `${first}${last} ${names.length > 1 ? 'do' : 'does'}`;
}

/** One thing that keeps a session from being accepted. */
export interface Hindrance {
  readonly text: string;
  /** The segment that it is about, and what would cure it. */
  readonly segment: number | null;
  readonly cure: 'name' | 'delete' | 'run' | null;
}

/** What keeps the session from being accepted, most general first; empty when it can be. */
export function acceptHindrances(state: PanelState, session: SessionState): readonly Hindrance[] {
  const general = (text: string): Hindrance => ({ text, segment: null, cure: null });
  if (session.state !== 'ready') {
    return [general('The session is not ready yet.')];
  }
  if (session.segments.length === 0) {
    return [general('There is no segment yet.')];
  }
  if (state.connection !== 'online') {
    return [general('No connection: accept when it is back.')];
  }
  const unsent = state.unsent > 0 ? [general(`Not sent yet: ${count(state.unsent, 'prompt')}`)] : [];
  return [...unsent, ...session.segments.flatMap(segmentHindrances)];
}

function segmentHindrances(segment: SegmentState): readonly Hindrance[] {
  const name = segmentName(segment);
  const about = (text: string, cure: Hindrance['cure']): Hindrance => ({ text, segment: segment.number, cure });
  if (segment.running > 0) {
    return [about(`Still running: ${name}`, null)];
  }
  if (segment.collected > 0) {
    return [about(`Prompts not run: ${name}`, 'run')];
  }
  if (segment.volumeMl === 0) {
    return [about(`Empty: ${name}`, 'delete')];
  }
  return segment.type === null ? [about(`No coded name: ${name}`, 'name')] : [];
}
