/** An open session in this window: kept in step with the service by its events. */

import type { EventHandlers } from '../api/events';
import type { ProblemError } from '../api/problem';
import type { SessionReply } from '../api/wire';
import type { Drawing, Unsubscribe } from '../types';
import type { Context, OpenSession } from './context';
import { problemOf } from './problems';
import { Prompting } from './prompting';
import { Results } from './results';
import { Segments } from './segments';
import { SegmentTable } from './table';

/** Most steps of a resumed session that the viewer's own undo reaches; the panel's reaches all. */
const REMEMBERED_STEPS = 20;

export class Workspace {
  readonly table: SegmentTable;
  readonly prompting: Prompting;
  readonly segments: Segments;
  readonly results: Results;
  private readonly listening = new AbortController();
  private readonly stopEdits: Unsubscribe;
  /** Until then the session's events do not call it ready: it has no segment to draw in yet. */
  private begun = false;

  constructor(
    private readonly context: Context,
    readonly session: OpenSession
  ) {
    this.table = new SegmentTable(context, session, (patch, decodedAt, timing) =>
      this.prompting.painted(patch, decodedAt, timing)
    );
    this.prompting = new Prompting(context, session, this.table, () => void this.refresh());
    this.segments = new Segments(context, session, this.table, this.prompting.lane);
    this.results = new Results(context, session, this.prompting.lane);
    this.stopEdits = session.canvas.onEdited(number => this.prompting.edited(number));
  }

  /** Show the session as the service has it, go on with what was not sent, and follow its events. */
  async begin(reply: SessionReply): Promise<void> {
    await this.adopt(reply);
    const steps = reply.segments.map(s => {
      const count = Math.max(s.prompts.length, s.can_undo ? 1 : 0);
      return [s.number, Math.min(count, REMEMBERED_STEPS)] as const;
    });
    this.prompting.restore(new Map(steps));
    void this.results.resume(reply.results);
    void this.context.connection.client.listen(this.session.id, {
      handlers: this.handlers(),
      onLost: error => this.context.connection.notice(error),
      onGone: problem => this.gone(problem),
      signal: this.listening.signal,
      pause: this.context.connection.pause,
    });
    const first = reply.segments.at(-1);
    if (first !== undefined) this.table.activate(first.number);
    else if (reply.opened_from?.read_only == null) await this.segments.add();
    this.begun = true;
  }

  /** Give a drawing to the active segment, or to a new one when there is none. */
  async draw(drawing: Drawing): Promise<void> {
    const active = () => this.context.store.state.session?.activeSegment ?? null;
    if (active() === null) await this.segments.add();
    const number = active();
    if (number === null) this.table.showPrompts();
    else this.prompting.draw(drawing, number);
  }

  /** Whether something is left that was neither stored nor is empty. */
  get hasWork(): boolean {
    const { session, unsent } = this.context.store.state;
    if (session === null || this.results.isAllStored) return false;
    return unsent > 0 || session.segments.some(s => s.volumeMl > 0 || s.running > 0 || s.collected > 0);
  }

  /** Leave the session in this window; the service keeps it. */
  close(): void {
    this.listening.abort();
    this.stopEdits();
    this.prompting.close();
    this.results.close();
    this.table.close();
    this.session.canvas.close();
  }

  private async adopt(reply: SessionReply): Promise<void> {
    const opened = reply.opened_from;
    this.context.store.updateSession({
      ...(this.begun ? { state: reply.state } : {}),
      openedFrom: opened && { sopInstanceUid: opened.sop_instance_uid, readOnly: opened.read_only },
    });
    await Promise.all(reply.segments.map(segment => this.table.put(segment)));
  }

  /**
   * Read the session anew, where its events may have been missed. Only this tells that a segment is gone: the state that
   * the events begin with may be older than a segment that was just added.
   */
  private async refresh(): Promise<void> {
    const known = this.table.numbers;
    try {
      const reply = await this.context.connection.call(client => client.session(this.session.id));
      const numbers = reply.segments.map(s => s.number);
      for (const number of known) if (!numbers.includes(number)) this.table.remove(number);
      await this.adopt(reply);
    } catch (error) {
      this.context.connection.notice(error); // its events begin with its state, once they are back
    }
  }

  private async synchronise(reply: SessionReply): Promise<void> {
    await this.adopt(reply);
    const numbers = reply.segments.map(s => s.number);
    if (this.table.numbers.some(number => !numbers.includes(number))) await this.refresh();
  }

  private handlers(): EventHandlers {
    const { store } = this.context;
    return {
      session: reply => {
        if (reply.state === 'closed') this.gone(null);
        else void this.synchronise(reply);
      },
      progress: ({ done, total }) => store.update({ preload: { ...store.state.preload, done, total } }),
      queue: ({ segment, position }) => store.updateSegment(segment, { queuePosition: position }),
      patch: patch => this.prompting.receive(patch),
      segment: segment => void this.table.put(segment),
      'segment-deleted': ({ number }) => this.table.remove(number),
      result: result => this.results.adopt(result),
    };
  }

  private gone(problem: ProblemError | null): void {
    if (this.listening.signal.aborted) return;
    const closed = {
      type: 'session-closed',
      title: 'The session was closed',
      detail: 'It was closed in another window or at another workstation. Start a new one to go on.',
    };
    this.context.store.updateSession({ state: 'closed', problem: problem === null ? closed : problemOf(problem) });
  }
}
