/** The panel's state: one immutable value, replaced at every change, and those who are told. */

import type { PanelState, PreloadState, SegmentState, SessionState, Settings, Unsubscribe } from '../types';

export const NO_PRELOAD: PreloadState = { state: 'none', done: 0, total: 0, problem: null };

export function initialState(settings: Settings): PanelState {
  return {
    connection: 'connecting',
    connectionProblem: null,
    study: null,
    series: null,
    model: null,
    preload: NO_PRELOAD,
    session: null,
    resumable: [],
    volumeChoices: [],
    storedSegmentations: [],
    tool: null,
    include: true,
    promptsVisible: true,
    plane: 'none',
    settings,
    unsent: 0,
    notice: null,
    askDelete: null,
    reports: null,
    versions: null,
  };
}

export class Store {
  private readonly listeners = new Set<() => void>();

  constructor(private value: PanelState) {}

  get state(): PanelState {
    return this.value;
  }

  subscribe(listener: () => void): Unsubscribe {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Change some fields; who listens is told only if one of them is another value than before. */
  update(changes: Partial<PanelState>): void {
    const next = merged(this.value, changes);
    if (next === this.value) return;
    this.value = next;
    for (const listener of [...this.listeners]) listener();
  }

  updateSession(changes: Partial<SessionState>): void {
    const { session } = this.value;
    if (session !== null) this.update({ session: merged(session, changes) });
  }

  updateSegment(number: number, changes: Partial<SegmentState>): void {
    const { session } = this.value;
    if (session === null) return;
    const segments = session.segments.map(s => (s.number === number ? merged(s, changes) : s));
    if (segments.some((s, n) => s !== session.segments[n])) this.updateSession({ segments });
  }

  segment(number: number): SegmentState | undefined {
    return this.value.session?.segments.find(s => s.number === number);
  }
}

function merged<T extends object>(before: T, changes: Partial<T>): T {
  const keys = Object.keys(changes) as (keyof T)[];
  return keys.every(key => Object.is(before[key], changes[key])) ? before : { ...before, ...changes };
}
