/**
 * What the service has not taken yet, kept in the browser so that a reload loses nothing. One storage item for each
 * entry, so that two windows do not overwrite each other's. An entry leaves with the service's word that it is journalled.
 */

import type { StepVerb } from '../api/client';
import type { PromptBody } from '../api/wire';

const PREFIX = 'delineate:unsent:';

/** Positions in a patient do not stay in a browser for good. */
const KEPT_MS = 7 * 24 * 3_600_000;

export type Entry = PromptEntry | StepEntry;

interface EntryBase {
  /** A UUID: the prompt's id, or the Idempotency-Key. */
  readonly id: string;
  readonly sessionId: string;
  readonly segment: number;
  /** Milliseconds since the epoch, grows from entry to entry. */
  readonly madeAt: number;
}

export interface PromptEntry extends EntryBase {
  readonly verb: 'prompt';
  readonly body: PromptBody;
}

export interface StepEntry extends EntryBase {
  readonly verb: StepVerb;
}

export class Outbox {
  private last = 0;

  constructor(private readonly storage: Storage | null) {
    for (const [key, entry] of this.all()) if (entry.madeAt < Date.now() - KEPT_MS) this.storage?.removeItem(key);
  }

  /** A time for a new entry: later than that of any before. */
  now(): number {
    this.last = Math.max(this.last + 1, Date.now());
    return this.last;
  }

  /** Keep an entry; false if the browser's storage is full or forbidden, and only memory has it. */
  put(entry: Entry): boolean {
    try {
      this.storage?.setItem(keyOf(entry), JSON.stringify(entry));
      return this.storage !== null;
    } catch {
      return false;
    }
  }

  remove(entry: Entry): void {
    this.storage?.removeItem(keyOf(entry));
  }

  /** Entries of a session, in the order in which they were made. */
  of(sessionId: string): Entry[] {
    return this.all()
      .map(([, entry]) => entry)
      .filter(entry => entry.sessionId === sessionId)
      .sort((a, b) => a.madeAt - b.madeAt);
  }

  forget(sessionId: string): void {
    for (const entry of this.of(sessionId)) this.remove(entry);
  }

  private all(): [string, Entry][] {
    const { storage } = this;
    if (storage === null) return [];
    const keys = Array.from({ length: storage.length }, (_, n) => storage.key(n) ?? '');
    return keys.filter(key => key.startsWith(PREFIX)).flatMap(key => {
      const entry = parsed(storage.getItem(key));
      return entry === null ? [] : [[key, entry]];
    });
  }
}

function keyOf(entry: Entry): string {
  return `${PREFIX}${entry.sessionId}:${entry.id}`;
}

function parsed(text: string | null): Entry | null {
  try {
    const entry = JSON.parse(text ?? 'null') as Entry | null;
    return entry !== null && typeof entry.id === 'string' && typeof entry.madeAt === 'number' ? entry : null;
  } catch {
    return null;
  }
}
