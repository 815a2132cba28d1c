/**
 * Sends a session's prompts and steps in the order in which they were made.
 *
 * The next one is sent when the service has *taken* the one before, not when that is done: quick prompts queue up in the
 * service. What fails for want of a connection, or is refused for the moment, is sent again with the same id until there is
 * an answer; since ids are idempotent, nothing is done twice.
 *
 * A browser has six connections to an origin, and the viewer's images need them, too. So no more than a few replies are
 * waited for at once: a prompt beyond them is let go when it is taken (the service goes on with it), and asked for again, by
 * its id, when its turn comes. Its patch is painted before that, if it arrives among the session's events.
 */

import { Backoff, type Pause } from '../api/backoff';
import { ProblemError, UnreachableError } from '../api/problem';
import type { PatchReply } from '../api/wire';
import type { Entry, Outbox, PromptEntry } from './outbox';
import { Slots } from './slots';

/** Replies that are waited for at once. */
const REPLIES = 2;

export interface LanePort {
  /** Resolves when there is a connection. */
  online(): Promise<void>;
  /** Send an entry. `onTaken` is called when the service has it; the signal lets the reply go. */
  send(entry: Entry, onTaken: () => void, signal: AbortSignal): Promise<PatchReply>;
  /** The entry's last form before it is sent for the first time; null to take it out. */
  ready(entry: Entry): Entry | null;
  onTaken(entry: Entry): void;
  onDone(entry: Entry, patch: PatchReply): void;
  onRefused(entry: Entry, error: unknown): void;
  /** Refused for the moment, or not delivered: it is sent again. */
  onDelayed(entry: Entry, error: unknown): void;
  onCount(unsent: number): void;
}

export class Lane {
  private entries: readonly Entry[] = [];
  private readonly attempted = new Set<string>();
  /** Sent and not answered, with the segment that they belong to. */
  private readonly underway = new Map<string, { readonly segment: number; readonly done: Promise<void> }>();
  private readonly whenChanged: (() => void)[] = [];
  private readonly slots = new Slots(REPLIES);
  private running = false;
  private readonly end = new AbortController();

  constructor(
    private readonly port: LanePort,
    private readonly outbox: Outbox,
    private readonly pause: Pause
  ) {}

  push(entry: Entry): void {
    this.outbox.put(entry);
    this.setEntries([...this.entries, entry]);
    void this.run();
  }

  /** Go on with entries of an earlier page, which may have been sent already. */
  restore(entries: readonly Entry[]): void {
    for (const entry of entries) this.attempted.add(entry.id);
    this.setEntries([...entries, ...this.entries]);
    void this.run();
  }

  /** Take back the segment's last prompt, if it was never sent. */
  takeBack(segment: number): PromptEntry | null {
    const last = this.entries.filter(entry => entry.segment === segment).at(-1);
    if (last?.verb !== 'prompt' || this.attempted.has(last.id)) return null;
    this.leave(last);
    return last;
  }

  /** Forget what waits for a segment that is not there any more. */
  dropSegment(segment: number): void {
    for (const entry of this.entries.filter(e => e.segment === segment)) this.leave(entry);
  }

  /** Prompts that the service has not taken. */
  get unsent(): number {
    return this.entries.filter(entry => entry.verb === 'prompt').length;
  }

  /** Resolves when all that was sent for a segment (or for any) is answered. */
  async settled(segment?: number): Promise<void> {
    const pending = [...this.underway.values()].filter(u => segment === undefined || u.segment === segment);
    await Promise.all(pending.map(u => u.done));
  }

  /** Resolves when everything is sent and answered. */
  async idle(): Promise<void> {
    while (!this.isClosed() && (this.entries.length > 0 || this.underway.size > 0)) {
      const pending = [...this.underway.values()].map(u => u.done);
      await (pending.length > 0 ? Promise.all(pending) : new Promise<void>(resolve => this.whenChanged.push(resolve)));
    }
  }

  close(): void {
    this.end.abort();
    this.changed();
    this.slots.close();
    this.pause.wake();
  }

  private isClosed(): boolean {
    return this.end.signal.aborted;
  }

  private changed(): void {
    for (const resolve of this.whenChanged.splice(0)) resolve();
  }

  private setEntries(entries: readonly Entry[]): void {
    this.entries = entries;
    this.port.onCount(this.unsent);
    this.changed();
  }

  private leave(entry: Entry): void {
    this.outbox.remove(entry);
    this.attempted.delete(entry.id);
    this.setEntries(this.entries.filter(e => e.id !== entry.id));
  }

  private async run(): Promise<void> {
    if (this.running) return;
    this.running = true;
    while (!this.isClosed() && this.entries.length > 0) {
      const first = this.entries[0]!;
      const entry = await this.prepared(first);
      if (this.entries[0]?.id !== first.id || this.isClosed()) continue;
      if (entry === null) this.leave(first);
      else await this.deliver(entry);
    }
    this.running = false;
  }

  /** The entry as it is sent; an edit waits until what was sent before it is painted. */
  private async prepared(entry: Entry): Promise<Entry | null> {
    await this.port.online();
    if (this.attempted.has(entry.id)) return entry;
    if (entry.verb === 'prompt' && entry.body.kind === 'labelmap') await this.settled(entry.segment);
    const ready = this.port.ready(entry);
    if (ready !== null && ready !== entry) this.outbox.put(ready);
    return ready;
  }

  /** Send an entry; resolves when it is taken or refused. */
  private deliver(entry: Entry): Promise<void> {
    return new Promise(resolve => {
      const done = this.follow(entry, resolve).finally(() => {
        resolve();
        this.underway.delete(entry.id);
        this.changed();
      });
      this.underway.set(entry.id, { segment: entry.segment, done });
    });
  }

  /** Send an entry until it is answered. */
  private async follow(entry: Entry, onTaken: () => void): Promise<void> {
    const backoff = new Backoff();
    const slot = this.slots.one();
    this.attempted.add(entry.id);
    const taken = () => {
      if (this.isClosed() || !this.entries.some(e => e.id === entry.id)) return;
      this.leave(entry);
      this.port.onTaken(entry);
      onTaken();
    };
    while (!this.isClosed()) {
      try {
        const patch = await this.sendOnce(entry, taken, slot.tryTake);
        if (patch === null) {
          await slot.take();
          continue;
        }
        taken();
        this.port.onDone(entry, patch);
        break;
      } catch (error) {
        if (!mayPass(error)) {
          if (!this.isClosed()) this.leave(entry);
          this.port.onRefused(entry, error);
          break;
        }
        this.port.onDelayed(entry, error);
        await this.pause.wait(waitOf(error) ?? backoff.step());
        await this.port.online();
      }
    }
    slot.release();
  }

  /** The reply, or null if the entry was taken and its reply let go. */
  private async sendOnce(entry: Entry, taken: () => void, hold: () => boolean): Promise<PatchReply | null> {
    const reply = new AbortController();
    const onTaken = () => {
      taken();
      if (!hold()) reply.abort();
    };
    try {
      return await this.port.send(entry, onTaken, reply.signal);
    } catch (error) {
      if (reply.signal.aborted) return null;
      throw error;
    }
  }
}

function mayPass(error: unknown): boolean {
  return error instanceof UnreachableError || (error instanceof ProblemError && (error.passes || error.isSignIn));
}

function waitOf(error: unknown): number | null {
  if (error instanceof UnreachableError) return 0; // the connection says when it is back
  return error instanceof ProblemError ? error.retryAfterMs : null;
}
