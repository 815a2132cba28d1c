/** The segments of an open session: their state for the panel, their labelmaps and prompts in the viewer. */

import type { PatchReply, PromptBody, PromptReply, SegmentReply } from '../api/wire';
import { drawingOf } from '../prompts/body';
import type { SegmentState } from '../types';
import { PromptBook } from './book';
import type { Context, OpenSession } from './context';
import { problemOf } from './problems';
import { segmentState } from './replies';
import { SegmentVoxels, type VoxelsPort } from './voxels';

interface Row {
  readonly voxels: SegmentVoxels;
  readonly book: PromptBook;
  /** The viewer has its labelmap. */
  readonly ready: Promise<void>;
}

export class SegmentTable {
  private readonly rows = new Map<number, Row>();
  /** Numbers are not used again: what is still said of these is out of date. */
  private readonly removed = new Set<number>();
  private shown: string | null = null;

  constructor(
    private readonly context: Context,
    private readonly session: OpenSession,
    private readonly onPainted: VoxelsPort['onPainted']
  ) {}

  book(number: number): PromptBook | undefined {
    return this.rows.get(number)?.book;
  }

  voxels(number: number): SegmentVoxels | undefined {
    return this.rows.get(number)?.voxels;
  }

  get numbers(): number[] {
    return [...this.rows.keys()];
  }

  /** Add a segment, or take over what the service says of it; resolves when the viewer has it. */
  async put(reply: SegmentReply): Promise<void> {
    const { number } = reply;
    if (this.removed.has(number)) return;
    const before = this.context.store.segment(number);
    const row = this.rows.get(number);
    const state = segmentState(reply, before);
    this.place(state);
    if (row === undefined) {
      await this.add(reply, state);
      return;
    }
    if (before !== undefined && looksOtherwise(before, state)) await this.repaint(number);
    this.adopt(row, reply);
    await row.ready;
  }

  remove(number: number): void {
    if (this.removed.has(number)) return;
    this.removed.add(number);
    this.rows.get(number)?.voxels.close();
    this.rows.delete(number);
    this.session.canvas.removeSegment(number);
    const { session } = this.context.store.state;
    if (session === null) return;
    const segments = session.segments.filter(s => s.number !== number);
    const gone = session.activeSegment === number;
    this.context.store.updateSession({ segments });
    if (gone) this.activate(segments.at(-1)?.number ?? null);
  }

  activate(number: number | null): void {
    this.context.store.updateSession({ activeSegment: number });
    if (number !== null && this.rows.has(number)) this.session.canvas.activateSegment(number);
    this.showPrompts();
  }

  /** Tell the viewer of a segment's name, colour, visibility and lock. */
  async repaint(number: number): Promise<void> {
    const state = this.context.store.segment(number);
    if (state === undefined) return;
    const { label, colour, visible, locked } = state;
    await this.session.canvas.putSegment({ number, label, colour, visible, locked });
  }

  /** Paint a patch in its turn. */
  receive(patch: PatchReply): void {
    const row = this.rows.get(patch.segment);
    if (row === undefined) return;
    if (patch.revision > patch.base_revision) row.book.applied(patch.prompt_ids); // else they were only collected
    this.count(patch.segment);
    row.voxels.receive(patch).catch((error: unknown) => this.failed(patch.segment, error));
  }

  /** Show what a running prompt has so far. */
  receivePreview(patch: PatchReply): void {
    this.voxels(patch.segment)
      ?.receivePreview(patch)
      .catch((error: unknown) => this.failed(patch.segment, error));
  }

  /** Count a prompt in again that an earlier page made and the service may not have. */
  expect(number: number, body: PromptBody): void {
    const prompt: PromptReply = {
      id: body.id,
      kind: body.kind,
      include: body.include,
      frame_of_reference_uid: body.frame_of_reference_uid,
      points: body.points ?? [],
      plane_normal: body.plane_normal ?? null,
      sop_instance_uid: body.sop_instance_uid ?? null,
      frame_number: body.frame_number ?? null,
      state: 'waiting',
    };
    this.book(number)?.add(body.id, this.drawingOf(prompt));
    this.count(number);
  }

  /** Bring the panel's counts, and the drawings in the viewer, up to date. */
  count(number: number): void {
    const book = this.book(number);
    if (book === undefined) return;
    const { running, collected, canUndo, canRedo } = book;
    this.context.store.updateSegment(number, { running, collected, canUndo, canRedo });
    this.showPrompts();
  }

  /** Draw the prompts of the active segment, and no others. */
  showPrompts(): void {
    const { session, promptsVisible } = this.context.store.state;
    const drawings = this.book(session?.activeSegment ?? -1)?.drawings ?? [];
    const now = `${promptsVisible} ${drawings.map(d => d.id).join(' ')}`;
    if (now === this.shown) return;
    this.shown = now;
    this.context.host.showPrompts(drawings, promptsVisible);
  }

  close(): void {
    for (const { voxels } of this.rows.values()) voxels.close();
    this.rows.clear();
    this.context.host.showPrompts([], true);
  }

  private async add(reply: SegmentReply, state: SegmentState): Promise<void> {
    const { number, label, colour, visible, locked } = state;
    const voxels = new SegmentVoxels(number, this.port());
    const ready = this.session.canvas
      .putSegment({ number, label, colour, visible, locked })
      .then(() => voxels.start(reply.revision))
      .catch((error: unknown) => this.failed(number, error));
    const row: Row = { voxels, book: new PromptBook(), ready };
    this.rows.set(number, row);
    this.adopt(row, reply);
    await ready;
  }

  /** Take over prompts and history, unless they are older than what is shown. */
  private adopt(row: Row, reply: SegmentReply): void {
    if (reply.revision >= row.voxels.known) {
      row.book.adopt(reply.prompts, prompt => this.drawingOf(prompt));
      row.book.adoptHistory(reply.can_undo, reply.can_redo);
      row.voxels.expect(reply.revision);
    }
    this.count(reply.number);
  }

  private drawingOf(prompt: PromptReply): ReturnType<typeof drawingOf> {
    return drawingOf(prompt, this.session.seriesInstanceUid, this.session.sliceNormal);
  }

  private place(state: SegmentState): void {
    const { session } = this.context.store.state;
    if (session === null) return;
    const others = session.segments.filter(s => s.number !== state.number);
    const known = others.length < session.segments.length;
    if (known) this.context.store.updateSegment(state.number, state);
    else {
      const segments = [...others, state].sort((a, b) => a.number - b.number);
      this.context.store.updateSession({ segments });
    }
  }

  private port(): VoxelsPort {
    const { connection, store } = this.context;
    const { id, canvas } = this.session;
    return {
      canvas,
      fetchLabelmap: number => connection.call(client => client.labelmap(id, number)),
      onRevision: (number, revision, volumeMl) => store.updateSegment(number, { revision, volumeMl }),
      onPainted: this.onPainted,
      onFailed: (number, error) => this.failed(number, error),
    };
  }

  private failed(number: number, error: unknown): void {
    this.context.store.updateSegment(number, { problem: problemOf(error) });
  }
}

function looksOtherwise(before: SegmentState, after: SegmentState): boolean {
  return (
    before.label !== after.label || before.locked !== after.locked || before.colour.join() !== after.colour.join()
  );
}
