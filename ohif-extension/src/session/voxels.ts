/**
 * The voxels of one segment, as the service has them and as the viewer shows them.
 *
 * Patches are painted strictly in the order of revisions: an older one is never painted, one that comes too early waits
 * for those before it, and when they do not come the whole labelmap is fetched. Previews of a running prompt lie on top of
 * the labelmap until its patch, or any other, replaces them. What the brush changed and the service has not taken yet stays
 * on top of whatever is painted.
 */

import { UnreachableError } from '../api/problem';
import type { PatchReply } from '../api/wire';
import { decodeRegion } from '../labelmap/bits';
import { NO_BOUNDS, isEmpty, union } from '../labelmap/bounds';
import { type Edit, applyEdit, editBetween } from '../labelmap/edit';
import { Mirror } from '../labelmap/mirror';
import { sameBounds, tight, writeOver } from '../labelmap/region';
import type { Bounds, Canvas, PaintTiming, Region } from '../types';

/** How long a patch that came too early waits before the labelmap is fetched. */
const GAP_MS = 300;

export interface VoxelsPort {
  readonly canvas: Pick<Canvas, 'write' | 'replace' | 'read'>;
  fetchLabelmap(number: number): Promise<PatchReply>;
  /** The segment is at another revision now. */
  onRevision(number: number, revision: number, volumeMl: number): void;
  /** A patch was painted; `decodedAt` of `performance.now()`. */
  onPainted(patch: PatchReply, decodedAt: number, timing: PaintTiming): void;
  onFailed(number: number, error: unknown): void;
}

interface PendingEdit {
  readonly id: string;
  readonly edit: Edit;
}

export class SegmentVoxels {
  /** That the viewer shows; -1 before the first labelmap. */
  private revision = -1;
  /** That the service is known to have. */
  private newest = -1;
  /** Whether the viewer has the labelmap, so that it can be painted. */
  private started = false;
  private readonly mirror = new Mirror();
  /** Patches that came before those that they build on, by the revision that they build on. */
  private readonly early = new Map<number, PatchReply>();
  private edits: readonly PendingEdit[] = [];
  /** Voxels that a running prompt has shown so far. */
  private preview: Region | null = null;
  private previewing = false;
  private fetching: Promise<void> | null = null;
  private gapTimer: ReturnType<typeof setTimeout> | null = null;
  private closed = false;

  constructor(
    readonly number: number,
    private readonly port: VoxelsPort
  ) {}

  get shown(): number {
    return this.revision;
  }

  /** The newest revision that the service is known to have; what describes an older one is out of date. */
  get known(): number {
    return this.newest;
  }

  /** The viewer is ready for the segment; a labelmap of a later revision than 0 is fetched. */
  async start(revision: number): Promise<void> {
    this.started = true;
    this.newest = Math.max(this.newest, revision);
    if (revision > 0) return this.load();
    this.revision = 0;
    this.paintEarly();
    this.expect(this.newest);
  }

  /** The service is at this revision: if its patches do not come soon, the labelmap is fetched. */
  expect(revision: number): void {
    this.newest = Math.max(this.newest, revision);
    if (!this.started || this.closed || this.revision >= this.newest) return;
    this.gapTimer ??= setTimeout(() => {
      this.gapTimer = null;
      if (this.revision < this.newest) void this.load();
    }, GAP_MS);
  }

  /** Paint a patch when its turn comes; resolves when it is rendered, or waits for its turn. */
  async receive(patch: PatchReply): Promise<void> {
    if (this.closed || patch.revision <= this.revision) return;
    if (patch.base_revision !== this.revision || !this.started) {
      if (patch.base_revision > this.revision) this.early.set(patch.base_revision, patch);
      this.expect(patch.revision);
      return;
    }
    const painting = this.paintPatch(patch);
    this.paintEarly();
    await painting;
  }

  /** Show what a running prompt has so far; while that is painted, further ones wait and are painted together. */
  async receivePreview(patch: PatchReply): Promise<void> {
    if (this.closed || !this.started || patch.base_revision !== this.revision) return;
    const region = decodeRegion(patch);
    this.preview = this.withPreview(union(this.preview?.box ?? NO_BOUNDS, region.box));
    writeOver(this.preview, region);
    if (!this.previewing) await this.paintPreviews();
  }

  /** The running prompt will have no patch: show what was there before it. */
  dropPreview(): void {
    const { preview } = this;
    this.preview = null;
    if (preview !== null) this.repaint(preview.box);
  }

  /** Fetch the whole labelmap and paint it, if the viewer is behind; several calls at once are one. */
  async load(): Promise<void> {
    this.fetching ??= this.fetchAndPaint().finally(() => (this.fetching = null));
    return this.fetching;
  }

  /** Take up what the brush changed, under the id of the prompt that will carry it; false if nothing was. */
  takeEdit(id: string): boolean {
    if (this.revision < 0) return false;
    const box = union(this.mirror.bounds, this.preview?.box ?? NO_BOUNDS);
    const edit = editBetween(this.withPreview(box), this.port.canvas.read(this.number));
    if (edit === null) return false;
    this.edits = [...this.edits, { id, edit }];
    return true;
  }

  /** The whole segment after the edit of that id: what the service has, and the edit on top. */
  edited(id: string): Region | null {
    const pending = this.edits.find(e => e.id === id);
    if (pending === undefined) return null;
    const whole = this.mirror.crop(union(this.mirror.bounds, pending.edit.box));
    applyEdit(whole, pending.edit);
    return tight(whole);
  }

  /** Take an edit back that the service will not have, and show what is without it. */
  dropEdit(id: string): void {
    const dropped = this.edits.find(e => e.id === id);
    if (dropped === undefined) return;
    this.edits = this.edits.filter(e => e !== dropped);
    this.repaint(dropped.edit.box);
  }

  close(): void {
    this.closed = true;
    this.clearGap();
    this.early.clear();
  }

  private async paintPatch(patch: PatchReply): Promise<void> {
    const region = decodeRegion(patch);
    const decodedAt = performance.now();
    this.edits = this.edits.filter(e => !patch.prompt_ids.includes(e.id));
    this.mirror.write(region);
    const previewed = this.preview?.box ?? NO_BOUNDS;
    this.preview = null;
    this.advance(patch);
    const box = union(region.box, previewed);
    const timing = isEmpty(box) ? { write: 0, render: 0 } : await this.paint(box, region);
    this.port.onPainted(patch, decodedAt, timing);
  }

  private advance(patch: PatchReply): void {
    this.revision = patch.revision;
    this.newest = Math.max(this.newest, this.revision);
    for (const base of this.early.keys()) if (base < this.revision) this.early.delete(base);
    if (this.revision >= this.newest) this.clearGap();
    this.port.onRevision(this.number, patch.revision, patch.volume_ml);
  }

  private paintEarly(): void {
    const next = this.early.get(this.revision);
    if (next === undefined) return;
    this.early.delete(this.revision);
    this.paintPatch(next).catch((error: unknown) => this.port.onFailed(this.number, error));
    this.paintEarly();
  }

  private async paintPreviews(): Promise<void> {
    this.previewing = true;
    let shown: Region | null = null;
    while (this.preview !== null && this.preview !== shown) {
      shown = this.preview;
      await this.paint(shown.box);
    }
    this.previewing = false;
  }

  /** Write what is to be seen in a box; `fresh` is the same without a copy, if it is of that box and nothing is on top. */
  private paint(box: Bounds, fresh?: Region): Promise<PaintTiming> {
    const bare = this.edits.length === 0 && this.preview === null && fresh !== undefined && sameBounds(fresh.box, box);
    return this.port.canvas.write(this.number, bare ? fresh : this.withEdits(this.withPreview(box)));
  }

  private repaint(box: Bounds): void {
    this.paint(box).catch((error: unknown) => this.port.onFailed(this.number, error));
  }

  private withPreview(box: Bounds): Region {
    const region = this.mirror.crop(box);
    if (this.preview !== null) writeOver(region, this.preview);
    return region;
  }

  private withEdits(region: Region): Region {
    const last = this.edits.at(-1);
    if (last !== undefined) applyEdit(region, last.edit);
    return region;
  }

  private clearGap(): void {
    if (this.gapTimer !== null) clearTimeout(this.gapTimer);
    this.gapTimer = null;
  }

  private async fetchAndPaint(): Promise<void> {
    try {
      const whole = await this.port.fetchLabelmap(this.number);
      if (this.closed || whole.revision <= this.revision) return;
      this.mirror.replace(decodeRegion(whole));
      this.advance(whole);
      this.preview = null;
      const shown = this.withEdits(
        this.mirror.crop(this.edits.reduce((box, e) => union(box, e.edit.box), this.mirror.bounds))
      );
      const painting = this.port.canvas.replace(this.number, shown);
      this.paintEarly();
      this.expect(this.newest);
      await painting;
    } catch (error) {
      if (!(error instanceof UnreachableError)) this.port.onFailed(this.number, error);
    }
  }
}
