/** Opens, resumes and leaves sessions. */

import { ProblemError } from '../api/problem';
import type { OpenSessionBody, SessionReply } from '../api/wire';
import { Grid } from '../geometry/grid';
import type { Drawing, Series, SessionState, StoredSegmentation, StoredVersion, VolumeChoice } from '../types';
import { uuid } from '../uuid';
import type { Context, OpenSession } from './context';
import { problemOf } from './problems';
import { geometryOf, resumable, slicesOf } from './replies';
import { Workspace } from './workspace';

/** Between two looks at a session whose volume is being loaded. */
const POLL_MS = 400;

/** What a several-volume problem says of each volume. */
interface VolumeMember {
  readonly id?: unknown;
  readonly label?: unknown;
  readonly instances?: unknown;
}

/** What is to be opened. */
interface Wanted {
  readonly series: Series;
  /** A stored segmentation of the series, for one. */
  readonly more: Partial<OpenSessionBody>;
}

export class Opening {
  workspace: Workspace | null = null;
  /** Drawn before the session was there. */
  private early: Drawing[] = [];
  /** Counts the sessions that were begun, so that an overtaken one is noticed. */
  private turn = 0;
  /** What the service has asked back about, which volume of it to open. */
  private asked: Wanted | null = null;

  constructor(private readonly context: Context) {}

  /** Open a session on a series; the service asks back if the series holds several volumes. */
  async open(series: Series | null, more: Partial<OpenSessionBody> = {}): Promise<void> {
    if (series === null) {
      this.context.store.update({ notice: 'Click into a viewport that shows the images to segment, and start again.' });
      return;
    }
    const body: OpenSessionBody = {
      study_instance_uid: series.studyInstanceUid,
      series_instance_uid: series.seriesInstanceUid,
      ...more,
    };
    const key = uuid();
    const { connection } = this.context;
    await this.enter({ series, more }, async turn => {
      const begun = await connection.insist(client => client.openSession(body, key, { wait: false }));
      this.update(turn, { id: begun.id, state: begun.state === 'loading' ? 'loading' : 'opening' });
      const loaded = connection.insist(client => client.openSession(body, key, { wait: true }));
      void this.watch(turn, begun);
      return loaded;
    });
  }

  /** Open this volume of what the service has asked back about, or else of the active series. */
  async openVolume(key: string): Promise<void> {
    const series = this.asked?.series ?? this.context.host.activeSeries();
    await this.open(series, { ...this.asked?.more, volume: key });
  }

  /** Take the question which volume back when the person turns to another series. */
  turnTo(series: Series | null): void {
    const asked = this.asked?.series.seriesInstanceUid;
    if (asked === undefined || series === null || series.seriesInstanceUid === asked) return;
    this.asked = null;
    this.context.store.update({ volumeChoices: [] });
  }

  async resume(id: string): Promise<void> {
    const known = this.context.store.state.resumable.find(s => s.id === id);
    const series = this.seriesOf(known?.seriesInstanceUid ?? id.split('~')[0]!);
    if (series === null) {
      this.context.store.update({ notice: 'Open the series of this session in a viewport first, then continue it.' });
      return;
    }
    await this.enter({ series, more: {} }, async turn => {
      const { connection } = this.context;
      const reply = await connection.insist(client => client.session(id));
      this.update(turn, { id, state: reply.state === 'loading' ? 'loading' : 'opening' });
      return this.watch(turn, reply);
    });
  }

  async openStored(stored: StoredSegmentation): Promise<void> {
    const uid = stored.referencedSeriesInstanceUid;
    const series = uid === null ? this.context.host.activeSeries() : this.seriesOf(uid);
    if (series === null) {
      const notice = 'Open the series that was segmented in a viewport first, then open its segmentation.';
      this.context.store.update({ notice });
      return;
    }
    await this.open(series, { segmentation_sop_instance_uid: stored.sopInstanceUid });
  }

  /** Leave this session, and go on with a stored version of its series. */
  async openVersion({ sopInstanceUid }: StoredVersion): Promise<void> {
    const series = this.context.store.state.session?.series ?? this.context.host.activeSeries();
    if (series !== null) await this.open(series, { segmentation_sop_instance_uid: sopInstanceUid });
  }

  /** Give a drawing to the session, to the one that is being opened, or to one that is opened for it. */
  draw(drawing: Drawing): void {
    if (this.workspace !== null) {
      void this.workspace.draw(drawing);
      return;
    }
    const { session } = this.context.store.state;
    if (session?.state === 'failed' || session?.state === 'closed') {
      this.context.host.showPrompts([], true);
      return;
    }
    this.early.push(drawing);
    if (session === null) void this.open(this.seriesOf(drawing.seriesInstanceUid));
  }

  /**
   * Leave the session. The service closes it only if nothing would be lost: what was neither stored nor is empty can be
   * resumed.
   */
  async close(): Promise<void> {
    const { store, connection, outbox } = this.context;
    const id = store.state.session?.id ?? '';
    const state = store.state.session?.state;
    const keep = this.workspace?.hasWork ?? false;
    this.leave();
    if (id !== '' && !keep && state !== 'closed') {
      try {
        await connection.call(client => client.closeSession(id));
        outbox.forget(id);
      } catch (error) {
        connection.notice(error); // it stays open in the service, and is offered again
      }
    }
    await this.listResumable();
  }

  /** Forget the session in this window. */
  leave(): void {
    this.turn++;
    this.early = [];
    this.asked = null;
    this.workspace?.close();
    this.workspace = null;
    this.context.store.update({ session: null, volumeChoices: [], plane: 'none', unsent: 0, notice: null });
  }

  /** Look for sessions of the study that can be continued. */
  async listResumable(): Promise<void> {
    const { store, connection, outbox } = this.context;
    const { study, session } = store.state;
    if (study === null || !connection.isOnline) return;
    try {
      const replies = await connection.call(client => client.sessions(study.studyInstanceUid));
      const found = resumable(replies, session?.id ?? null);
      store.update({ resumable: found });
      if (store.state.session === null) {
        const kept = found.flatMap(s => outbox.of(s.id)).filter(entry => entry.verb === 'prompt');
        store.update({ unsent: kept.length });
      }
    } catch (error) {
      connection.notice(error);
    }
  }

  /** Go from no session to an open one; failures end in the session's problem. */
  private async enter(wanted: Wanted, load: (turn: number) => Promise<SessionReply>): Promise<void> {
    const { series } = wanted;
    const early = this.early;
    this.leave();
    this.early = early;
    const { turn } = this;
    this.context.store.update({ session: newState(series) });
    try {
      const reply = await load(turn);
      const opened = await this.canvasFor(series, reply);
      if (turn !== this.turn) {
        opened.canvas.close();
        return;
      }
      this.update(turn, { id: reply.id });
      const { done, total } = reply.progress;
      this.context.store.update({ preload: { state: 'ready', done, total, problem: null } });
      this.context.store.update({ plane: this.context.host.plane(opened.geometry) });
      const workspace = new Workspace(this.context, opened);
      await workspace.begin(reply);
      if (turn !== this.turn) {
        workspace.close();
        return;
      }
      this.workspace = workspace;
      this.update(turn, { state: 'ready' });
      for (const drawing of this.early.splice(0)) await workspace.draw(drawing);
      void this.listResumable();
    } catch (error) {
      if (turn === this.turn) this.failed(error, wanted);
    }
  }

  private failed(error: unknown, wanted: Wanted): void {
    const { store } = this.context;
    const volumes = volumeChoices(error);
    if (volumes.length > 0) {
      this.asked = wanted;
      store.update({ session: null, volumeChoices: volumes });
    } else store.updateSession({ state: 'failed', problem: problemOf(error) });
    this.early = [];
    this.context.host.showPrompts([], true);
  }

  /** Follow the loading of a session's volume until it is there. */
  private async watch(turn: number, reply: SessionReply): Promise<SessionReply> {
    const { connection, store } = this.context;
    let latest = reply;
    while (latest.state === 'loading' && turn === this.turn) {
      const { done, total } = latest.progress;
      store.update({ preload: { state: 'loading', done, total, problem: null } });
      await connection.pause.wait(POLL_MS);
      latest = await connection.insist(client => client.session(reply.id));
    }
    return latest;
  }

  private async canvasFor(series: Series, reply: SessionReply): Promise<OpenSession> {
    if (reply.geometry === null) throw new Error(`The session has no volume: ${String(reply.problem?.detail)}`);
    const geometry = geometryOf(reply.geometry);
    const slices = slicesOf(reply);
    return {
      id: reply.id,
      series,
      seriesInstanceUid: reply.series_instance_uid,
      frameOfReferenceUid: geometry.frameOfReferenceUid,
      geometry,
      slices,
      sliceNormal: new Grid(geometry).directions[0],
      canvas: await this.context.host.openCanvas(series, slices, geometry.shape),
    };
  }

  private seriesOf(uid: string): Series | null {
    const { host } = this.context;
    const active = host.activeSeries();
    return active?.seriesInstanceUid === uid ? active : (host.series?.(uid) ?? null);
  }

  private update(turn: number, changes: Partial<SessionState>): void {
    if (turn === this.turn) this.context.store.updateSession(changes);
  }
}

function newState(series: Series): SessionState {
  return {
    id: '',
    state: 'opening',
    series,
    activeSegment: null,
    segments: [],
    result: null,
    problem: null,
    openedFrom: null,
  };
}

/** The volumes to choose from, if that is what the service asks. */
function volumeChoices(error: unknown): VolumeChoice[] {
  if (!(error instanceof ProblemError) || error.type !== 'volume-choice-required') return [];
  const { volumes } = error.document;
  return (Array.isArray(volumes) ? (volumes as VolumeMember[]) : []).map(({ id, label, instances }) => ({
    key: String(id),
    description: `${String(label)} (${String(instances)} images)`,
  }));
}
