/** Prompts, brush edits and steps of an open session: from the hand to the service, and what comes of them. */

import type { PatchReply } from '../api/wire';
import { isFused, labelmapBody, promptBody } from '../prompts/body';
import type { Drawing, PaintTiming } from '../types';
import { uuid } from '../uuid';
import type { Context, OpenSession } from './context';
import { ViewerHistory } from './history';
import { Lane, type LanePort } from './lane';
import { measurePrompt } from './marks';
import type { Entry, PromptEntry, StepEntry } from './outbox';
import { isSilent, problemOf } from './problems';
import type { SegmentTable } from './table';

/** Of a prompt of this window, in `performance.now()`, until it is painted. */
interface Moments {
  readonly finishedAt: number;
  sentAt: number;
  arrivedAt?: number;
}

export class Prompting {
  readonly lane: Lane;
  private readonly history: ViewerHistory;
  private readonly moments = new Map<string, Moments>();
  /** Revision that a brush edit was put together at. */
  private readonly editedAt = new Map<string, number>();
  /** Segments whose problem goes away when what is delayed gets through. */
  private readonly delayed = new Set<number>();

  constructor(
    private readonly context: Context,
    private readonly session: OpenSession,
    private readonly table: SegmentTable,
    private readonly refresh: () => void
  ) {
    this.lane = new Lane(this.port(), context.outbox, context.connection.pause);
    this.history = new ViewerHistory(context.host, {
      canUndo: number => context.store.segment(number)?.canUndo ?? false,
      canRedo: number => context.store.segment(number)?.canRedo ?? false,
      undo: number => this.undo(number, 'viewer'),
      redo: number => this.redo(number, 'viewer'),
    });
  }

  /** Give a drawing to a segment. */
  draw(drawing: Drawing, segment: number): void {
    const { store } = this.context;
    const run = store.state.settings.mode === 'live';
    this.moments.set(drawing.id, { finishedAt: drawing.finishedAt, sentAt: 0 });
    this.enter(segment, drawing.id, drawing);
    const fused = 'Drawn on another series: the position is what counts; that series is not what is segmented.';
    store.update({ notice: isFused(drawing, this.session) ? fused : null });
    this.lane.push(this.promptEntry(segment, drawing.id, promptBody(drawing, this.session, run)));
  }

  /** A brush or eraser stroke has ended on a segment. */
  edited(segment: number): void {
    const voxels = this.table.voxels(segment);
    const id = uuid();
    if (voxels === undefined || !voxels.takeEdit(id)) return;
    const whole = voxels.edited(id);
    if (whole === null) return;
    this.editedAt.set(id, voxels.shown);
    this.enter(segment, id, null);
    this.lane.push(this.promptEntry(segment, id, labelmapBody(id, whole, this.session.frameOfReferenceUid)));
  }

  /** Take back the last prompt or step of a segment; `by` says whether the viewer's own history knows already. */
  undo(segment: number, by: 'panel' | 'viewer'): void {
    if (this.context.store.segment(segment)?.canUndo !== true) return;
    if (by === 'panel') this.history.panelUndid(segment);
    const unsent = this.lane.takeBack(segment);
    if (unsent === null) this.step(segment, 'undo');
    else this.withdraw(unsent);
  }

  redo(segment: number, by: 'panel' | 'viewer'): void {
    if (this.context.store.segment(segment)?.canRedo !== true) return;
    if (by === 'panel') this.history.panelRedid(segment);
    this.step(segment, 'redo');
  }

  reset(segment: number): void {
    for (let unsent = this.lane.takeBack(segment); unsent !== null; unsent = this.lane.takeBack(segment)) {
      this.withdraw(unsent);
    }
    this.history.remember(segment);
    this.step(segment, 'reset');
  }

  run(segment: number): void {
    this.step(segment, 'run');
  }

  /** Go on with what an earlier page could not send, and let the viewer's undo reach the steps that are there. */
  restore(steps: ReadonlyMap<number, number>): void {
    for (const [segment, count] of steps) for (let n = 0; n < count; n++) this.history.remember(segment);
    const kept = this.context.outbox.of(this.session.id);
    const entries = kept.filter(entry => this.table.book(entry.segment) !== undefined);
    for (const entry of kept) if (!entries.includes(entry)) this.context.outbox.remove(entry);
    for (const entry of entries) if (entry.verb === 'prompt') this.table.expect(entry.segment, entry.body);
    this.lane.restore(entries);
  }

  close(): void {
    this.lane.close();
  }

  private enter(segment: number, id: string, drawing: Drawing | null): void {
    this.table.book(segment)?.add(id, drawing);
    this.context.store.updateSegment(segment, { problem: null });
    this.history.remember(segment);
    this.table.count(segment);
  }

  private promptEntry(segment: number, id: string, body: PromptEntry['body']): PromptEntry {
    return { id, sessionId: this.session.id, segment, verb: 'prompt', body, madeAt: this.context.outbox.now() };
  }

  private step(segment: number, verb: StepEntry['verb']): void {
    const id = uuid();
    this.lane.push({ id, sessionId: this.session.id, segment, verb, madeAt: this.context.outbox.now() });
  }

  private withdraw(entry: Entry): void {
    this.forget(entry.id);
    this.table.book(entry.segment)?.drop(entry.id);
    this.table.voxels(entry.segment)?.dropEdit(entry.id);
    this.table.count(entry.segment);
  }

  private forget(id: string): void {
    this.moments.delete(id);
    this.editedAt.delete(id);
  }

  private port(): LanePort {
    const { connection, store } = this.context;
    return {
      online: () => connection.online(),
      send: (entry, onTaken, signal) => this.send(entry, onTaken, signal),
      ready: entry => this.ready(entry),
      onTaken: entry => this.table.count(entry.segment),
      onDone: (entry, patch) => this.done(entry, patch),
      onRefused: (entry, error) => this.refused(entry, error),
      onDelayed: (entry, error) => {
        if (!connection.isOnline) return;
        this.delayed.add(entry.segment);
        store.updateSegment(entry.segment, { problem: problemOf(error) });
      },
      onCount: unsent => store.update({ unsent }),
    };
  }

  private send(entry: Entry, onTaken: () => void, signal: AbortSignal): Promise<PatchReply> {
    const { connection } = this.context;
    const { id } = this.session;
    if (entry.verb === 'prompt') {
      const moments = this.moments.get(entry.id);
      if (moments?.sentAt === 0) moments.sentAt = performance.now();
      const onPreview = (patch: PatchReply) => this.table.receivePreview(patch);
      return connection.call(client =>
        client.prompt(id, entry.segment, entry.body, { onTaken, onPreview, signal })
      );
    }
    const { verb } = entry;
    const reply = connection.call(client => client.step(id, entry.segment, verb, entry.id));
    if (verb === 'run') onTaken(); // an undo must be able to overtake the model's run
    return reply;
  }

  /** A brush edit is the whole segment: what came since it was made is under it. */
  private ready(entry: Entry): Entry {
    const voxels = this.table.voxels(entry.segment);
    const madeAt = this.editedAt.get(entry.id);
    if (voxels === undefined || madeAt === undefined || madeAt === voxels.shown) return entry;
    const whole = voxels.edited(entry.id);
    if (whole === null || entry.verb !== 'prompt') return entry;
    return { ...entry, body: labelmapBody(entry.id, whole, this.session.frameOfReferenceUid) };
  }

  private done(entry: Entry, patch: PatchReply): void {
    const book = this.table.book(entry.segment);
    if (entry.verb === 'undo') book?.undone(patch.prompt_ids);
    else if (entry.verb === 'redo') book?.redone(patch.prompt_ids);
    else if (entry.verb === 'reset') book?.cleared();
    else if (entry.verb === 'prompt' && !entry.body.run) book?.collect(entry.id);
    else book?.applied([entry.id]);
    book?.stepped(entry.verb, patch.revision > patch.base_revision);
    if (this.delayed.delete(entry.segment)) this.context.store.updateSegment(entry.segment, { problem: null });
    this.receive(patch);
    this.table.count(entry.segment);
    if (entry.verb !== 'prompt') this.refresh();
  }

  /** A patch has arrived, whichever way it came. */
  receive(patch: PatchReply): void {
    const arrivedAt = performance.now();
    for (const id of patch.prompt_ids) {
      const moments = this.moments.get(id);
      if (moments !== undefined) moments.arrivedAt ??= arrivedAt;
    }
    this.table.receive(patch);
  }

  /** A patch is in sight: measure the prompts of this window that it answers. */
  painted(patch: PatchReply, decodedAt: number, timing: PaintTiming): void {
    for (const promptId of patch.prompt_ids) {
      const moments = this.moments.get(promptId);
      this.forget(promptId);
      if (moments?.arrivedAt === undefined) continue;
      const { finishedAt, sentAt, arrivedAt } = moments;
      measurePrompt({ promptId, finishedAt, sentAt, arrivedAt, decodedAt }, patch.timing_ms, timing);
    }
  }

  private refused(entry: Entry, error: unknown): void {
    if (entry.verb === 'prompt') {
      this.withdraw(entry);
      this.table.voxels(entry.segment)?.dropPreview();
    }
    if (!isSilent(error)) this.context.store.updateSegment(entry.segment, { problem: problemOf(error) });
    this.table.count(entry.segment);
    if (entry.verb !== 'prompt') this.refresh();
  }
}
