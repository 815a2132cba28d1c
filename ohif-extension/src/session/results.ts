/** Accepting a session's segments, and following the result into the archive. */

import type { ResultReply } from '../api/wire';
import { uuid } from '../uuid';
import type { Context, OpenSession } from './context';
import type { Lane } from './lane';
import { problemOf } from './problems';
import { newerVersions, updateReports } from './reports';
import { isUnderway, resultState } from './replies';

/** Between two looks at a result that the session's events tell nothing of. */
const POLL_MS = 2000;

export class Results {
  /** Of the acceptance that is not answered yet, so that another try is the same one. */
  private key: string | null = null;
  /** What was accepted last in this window. */
  private accepted: string | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private closed = false;

  constructor(
    private readonly context: Context,
    private readonly session: OpenSession,
    private readonly lane: Lane
  ) {}

  /** Accept; `known` are newer versions of others to store beside. */
  async accept(known: readonly string[] = []): Promise<void> {
    await this.attempt(async () => {
      const { connection } = this.context;
      if (connection.isOnline) await this.lane.idle();
      this.accepted = this.signature;
      this.key ??= uuid();
      const { key } = this;
      this.adopt(await connection.call(client => client.accept(this.session.id, key, known)));
    });
  }

  /** Whether all that is there now is in the archive, as far as this window knows. */
  get isAllStored(): boolean {
    const { session } = this.context.store.state;
    return session?.result?.state === 'stored' && this.accepted === this.signature;
  }

  async retry(): Promise<void> {
    const { result } = this.context.store.state.session ?? {};
    if (!result) return this.accept();
    await this.attempt(async () => {
      this.adopt(await this.context.connection.call(client => client.retryResult(result.id)));
    });
  }

  async show(): Promise<void> {
    const { result } = this.context.store.state.session ?? {};
    if (result?.state !== 'stored') return;
    await this.attempt(() =>
      this.context.host.showStoredSegmentation(result.seriesInstanceUid, result.sopInstanceUid)
    );
  }

  /** The session's last result, of an earlier page or another window. */
  async resume(ids: readonly string[]): Promise<void> {
    const last = ids.at(-1);
    if (last === undefined || last === this.context.store.state.session?.result?.id) return;
    await this.attempt(async () => {
      this.adopt(await this.context.connection.call(client => client.result(last)));
    });
  }

  /** Take over what the service says of a result. */
  adopt(reply: ResultReply): void {
    if (this.closed) return;
    const result = resultState(reply);
    this.context.store.updateSession({ result });
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = isUnderway(result) ? setTimeout(() => void this.look(result.id), POLL_MS) : null;
  }

  close(): void {
    this.closed = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** Names the segments as they are now. */
  private get signature(): string {
    const { segments = [] } = this.context.store.state.session ?? {};
    return JSON.stringify(
      segments.map(s => [s.number, s.revision, s.label, s.category, s.type, s.region, s.laterality, s.colour])
    );
  }

  private async look(id: string): Promise<void> {
    try {
      const reply = await this.context.connection.insist(client => client.result(id));
      if (this.context.store.state.session?.result?.id === id) this.adopt(reply);
    } catch (error) {
      if (!this.closed) this.context.store.updateSession({ problem: problemOf(error) });
    }
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    try {
      this.context.store.updateSession({ problem: null });
      updateReports(this.context.store, this.session.id, { newer: [] });
      await work();
      this.key = null;
    } catch (error) {
      if (problemOf(error).type !== 'offline') this.key = null;
      if (this.closed) return;
      const newer = newerVersions(error);
      if (newer.length > 0) updateReports(this.context.store, this.session.id, { newer });
      else this.context.store.updateSession({ problem: problemOf(error) });
    }
  }
}
