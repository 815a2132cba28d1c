/** A viewer without a viewer: labelmaps as full arrays, an undo history, drawings by hand. */

import { countOf } from '../../src/labelmap/bounds';
import { crop, tight, writeOver } from '../../src/labelmap/region';
import type {
  Bounds,
  Canvas,
  CanvasSegment,
  Drawing,
  Host,
  PaintTiming,
  PromptKind,
  Region,
  Series,
  StoredSegmentation,
  Study,
  Unsubscribe,
  Vector,
} from '../../src/types';

class Listeners<T> {
  private readonly all = new Set<(value: T) => void>();

  add(listener: (value: T) => void): Unsubscribe {
    this.all.add(listener);
    return () => this.all.delete(listener);
  }

  tell(value: T): void {
    for (const listener of [...this.all]) listener(value);
  }
}

export class FakeCanvas implements Canvas {
  readonly segments = new Map<number, CanvasSegment>();
  /** Every box that was written, in order; `full` for a whole labelmap. */
  readonly writes: { readonly number: number; readonly box: Bounds; readonly full: boolean }[] = [];
  active: number | null = null;
  closed = false;
  private readonly labelmaps = new Map<number, Region>();
  private readonly edits = new Listeners<number>();
  private readonly box: Bounds;

  constructor(shape: Vector) {
    this.box = [[0, shape[0]], [0, shape[1]], [0, shape[2]]];
  }

  async putSegment(segment: CanvasSegment): Promise<void> {
    await Promise.resolve(); // the viewer makes labelmaps asynchronously
    this.segments.set(segment.number, segment);
    if (!this.labelmaps.has(segment.number)) this.labelmaps.set(segment.number, this.blank());
  }

  removeSegment(number: number): void {
    this.segments.delete(number);
    this.labelmaps.delete(number);
  }

  activateSegment(number: number): void {
    this.active = number;
  }

  write(number: number, region: Region): Promise<PaintTiming> {
    writeOver(this.labelmap(number), region);
    this.writes.push({ number, box: region.box, full: false });
    return Promise.resolve({ write: 1, render: 2 });
  }

  replace(number: number, region: Region): Promise<PaintTiming> {
    this.labelmap(number).voxels.fill(0);
    writeOver(this.labelmap(number), region);
    this.writes.push({ number, box: region.box, full: true });
    return Promise.resolve({ write: 1, render: 2 });
  }

  read(number: number): Region {
    return tight(this.labelmap(number));
  }

  onEdited(listener: (number: number) => void): Unsubscribe {
    return this.edits.add(listener);
  }

  close(): void {
    this.closed = true;
  }

  /** Brush over a box with a value, as the viewer's user does. */
  brush(number: number, box: Bounds, value: 0 | 1): void {
    writeOver(this.labelmap(number), { box, voxels: new Uint8Array(countOf(box)).fill(value) });
    this.edits.tell(number);
  }

  /** Voxels of the whole volume. */
  voxels(number: number): Uint8Array {
    return this.labelmap(number).voxels;
  }

  private blank(): Region {
    return crop({ box: this.box, voxels: new Uint8Array(countOf(this.box)) }, this.box);
  }

  private labelmap(number: number): Region {
    const labelmap = this.labelmaps.get(number);
    if (labelmap === undefined) throw new Error(`The canvas has no segment ${number}.`);
    return labelmap;
  }
}

/** The viewer's history, as cornerstone keeps it. */
export class FakeHistory {
  private readonly steps: { undo: () => void; redo: () => void }[] = [];
  private position = 0;

  push(step: { undo: () => void; redo: () => void }): void {
    this.steps.splice(this.position);
    this.steps.push(step);
    this.position++;
  }

  undo(): void {
    if (this.position > 0) this.steps[--this.position]!.undo();
  }

  redo(): void {
    if (this.position < this.steps.length) this.steps[this.position++]!.redo();
  }

  get length(): number {
    return this.steps.length;
  }
}

export class FakeHost implements Host {
  canvas: FakeCanvas | null = null;
  readonly history = new FakeHistory();
  shown: { readonly drawings: readonly Drawing[]; readonly visible: boolean } = { drawings: [], visible: true };
  tool: PromptKind | null = null;
  style: Parameters<Host['setPromptStyle']>[0] | null = null;
  shownResults: string[] = [];
  stored: StoredSegmentation[] = [];
  headers: Record<string, string> = {};
  private readonly viewer = new Listeners<undefined>();
  private readonly drawings = new Listeners<Drawing>();
  private readonly tools = new Listeners<PromptKind | null>();
  private readonly planes = new Listeners<undefined>();

  constructor(
    private seriesShown: Series | null,
    private readonly serviceUrl?: string
  ) {}

  study(): Study | null {
    const series = this.seriesShown;
    return (
      series && {
        studyInstanceUid: series.studyInstanceUid,
        description: 'Phantom',
        date: '20260101',
        patientName: 'Phantom^Ada',
        patientId: 'PHANTOM-1',
      }
    );
  }

  activeSeries(): Series | null {
    return this.seriesShown;
  }

  storedSegmentations(): readonly StoredSegmentation[] {
    return this.stored;
  }

  onViewerChanged(listener: () => void): Unsubscribe {
    return this.viewer.add(listener);
  }

  setTool(kind: PromptKind | null): void {
    this.tool = kind;
  }

  setPromptStyle(style: Parameters<Host['setPromptStyle']>[0]): void {
    this.style = style;
  }

  onDrawing(listener: (drawing: Drawing) => void): Unsubscribe {
    return this.drawings.add(listener);
  }

  onToolChanged(listener: (kind: PromptKind | null) => void): Unsubscribe {
    return this.tools.add(listener);
  }

  showPrompts(drawings: readonly Drawing[], visible: boolean): void {
    this.shown = { drawings, visible };
  }

  plane(): 'aligned' {
    return 'aligned';
  }

  onPlaneChanged(listener: () => void): Unsubscribe {
    return this.planes.add(listener);
  }

  turnToNearestSlicePlane(): void {
    this.planes.tell(undefined);
  }

  openCanvas(_series: Series, _slices: unknown, shape: Vector): Promise<Canvas> {
    this.canvas = new FakeCanvas(shape);
    return Promise.resolve(this.canvas);
  }

  rememberStep(step: { undo: () => void; redo: () => void }): void {
    this.history.push(step);
  }

  showStoredSegmentation(_seriesInstanceUid: string, sopInstanceUid: string): Promise<void> {
    this.shownResults.push(sopInstanceUid);
    return Promise.resolve();
  }

  authorization(): Readonly<Record<string, string>> {
    return this.headers;
  }

  configuredServiceUrl(): string | undefined {
    return this.serviceUrl;
  }

  /** Finish a drawing. */
  draw(drawing: Drawing): void {
    this.drawings.tell(drawing);
  }

  show(series: Series | null): void {
    this.seriesShown = series;
    this.viewer.tell(undefined);
  }

  pickTool(kind: PromptKind | null): void {
    this.tools.tell(kind);
  }
}
