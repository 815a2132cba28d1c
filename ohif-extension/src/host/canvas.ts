/** The labelmaps of one session: a segmentation of its own for each segment, so that segments may overlap. */

import type {
  Canvas,
  CanvasSegment,
  PaintTiming,
  Region,
  Series,
  SliceSource,
  Unsubscribe,
  Vector,
} from '../types';
import { uuid } from '../uuid';
import { Edits } from './edits';
import { keepPanelOpen } from './keepPanelOpen';
import { Labelmap, SEGMENT_INDEX } from './labelmap';
import type { DisplaySet } from './ohif';
import { Presentation } from './presentation';
import { rendered } from './rendering';
import type { Viewer } from './viewer';

const OPAQUE = 255;

interface Layer {
  segment: CanvasSegment;
  readonly labelmap: Labelmap;
}

export class ViewerCanvas implements Canvas {
  /** By Segment Number; a promise until the viewer has made the labelmap. */
  private readonly layers = new Map<number, Promise<Layer>>();
  private readonly ready = new Map<number, Layer>();
  private readonly listeners = new Set<(number: number) => void>();
  private readonly id = uuid();
  private readonly edits: Edits;
  private readonly presentation: Presentation;
  private closed = false;

  constructor(
    private readonly viewer: Viewer,
    private readonly series: Series,
    private readonly slices: readonly SliceSource[],
    private readonly shape: Vector
  ) {
    this.presentation = new Presentation(viewer, series, () => this.styles());
    this.edits = new Edits(
      viewer.core,
      viewer.tools,
      segmentationId => this.owns(segmentationId),
      segmentationId => this.tellEdited(segmentationId)
    );
  }

  owns(segmentationId: string): boolean {
    return segmentationId.startsWith(this.id);
  }

  async putSegment(segment: CanvasSegment): Promise<void> {
    const { number } = segment;
    let pending = this.layers.get(number);
    if (pending === undefined) {
      pending = this.make(segment);
      this.layers.set(number, pending);
      pending.catch(() => this.layers.delete(number));
    }
    const free = keepPanelOpen(this.viewer.services.panelService);
    try {
      const layer = await pending;
      layer.segment = segment;
      this.name(layer);
      await this.presentation.apply();
    } finally {
      free();
    }
  }

  removeSegment(number: number): void {
    const layer = this.ready.get(number);
    this.layers.delete(number);
    this.ready.delete(number);
    if (layer !== undefined) this.edits.asOwn(() => layer.labelmap.remove());
  }

  activateSegment(number: number): void {
    const { segmentationId } = this.layer(number).labelmap;
    this.presentation.activate(segmentationId);
  }

  async write(number: number, region: Region): Promise<PaintTiming> {
    const { labelmap } = this.layer(number);
    return this.paint(labelmap, () => {
      labelmap.write(region);
      return region.box[0];
    });
  }

  async replace(number: number, region: Region): Promise<PaintTiming> {
    const { labelmap } = this.layer(number);
    return this.paint(labelmap, () => {
      const [before] = labelmap.clear();
      labelmap.write(region);
      const [after] = region.box;
      if (before[1] <= before[0]) return after;
      return after[1] <= after[0] ? before : [Math.min(before[0], after[0]), Math.max(before[1], after[1])];
    });
  }

  read(number: number): Region {
    return this.layer(number).labelmap.read();
  }

  onEdited(listener: (number: number) => void): Unsubscribe {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close(): void {
    this.closed = true;
    this.edits.dispose();
    this.presentation.dispose();
    for (const { labelmap } of this.ready.values()) labelmap.remove();
    this.layers.clear();
    this.ready.clear();
  }

  private async make(segment: CanvasSegment): Promise<Layer> {
    const { displaySetService, segmentationService } = this.viewer.services;
    const displaySet = displaySetService.getDisplaySetByUID(this.series.displaySetInstanceUid);
    if (displaySet === undefined) {
      throw new Error('The viewer does not show this series any more. Open the study again, then continue the session.');
    }
    const segmentationId = `${this.id}-${segment.number}`;
    await segmentationService.createLabelmapForDisplaySet(this.withImageIds(displaySet), {
      segmentationId,
      label: segment.label,
      segments: { [SEGMENT_INDEX]: { label: segment.label, active: true } },
    });
    const { core, tools } = this.viewer;
    const layer = { segment, labelmap: new Labelmap(core, tools, segmentationId, this.slices, this.shape) };
    // Removed, or the whole canvas closed, while the viewer was at it.
    if (this.closed || !this.layers.has(segment.number)) layer.labelmap.remove();
    else this.ready.set(segment.number, layer);
    return layer;
  }

  /** The viewer notes the ids of a series' images when it first loads them as a stack; a volume does not need them. */
  private withImageIds(displaySet: DisplaySet): DisplaySet {
    if (displaySet.imageIds !== undefined && displaySet.imageIds.length > 0) return displaySet;
    const [dataSource] = this.viewer.context.extensionManager.getActiveDataSource();
    const imageIds = dataSource?.getImageIdsForDisplaySet(displaySet) ?? [];
    return Object.create(displaySet, { imageIds: { value: imageIds } }) as DisplaySet;
  }

  private async paint(labelmap: Labelmap, change: () => readonly [number, number]): Promise<PaintTiming> {
    const { core } = this.viewer;
    const started = performance.now();
    const drawn = this.edits.asOwn(() => {
      const slices = change();
      const waiting = rendered(core, this.presentation.viewportsWith(labelmap.segmentationId));
      labelmap.announce(slices);
      return waiting;
    });
    const written = performance.now();
    await drawn;
    return { write: written - started, render: performance.now() - written };
  }

  private name({ segment, labelmap }: Layer): void {
    const { segmentationId } = labelmap;
    const { segmentation } = this.viewer.tools;
    const entry = segmentation.state.getSegmentation(segmentationId)?.segments[SEGMENT_INDEX];
    if (entry !== undefined && entry.label !== segment.label) {
      const payload = { label: segment.label, segments: { [SEGMENT_INDEX]: { ...entry, label: segment.label } } };
      segmentation.updateSegmentations([{ segmentationId, payload }]);
    }
    const { segmentLocking } = segmentation;
    if (segmentLocking.isSegmentIndexLocked(segmentationId, SEGMENT_INDEX) !== segment.locked) {
      segmentLocking.setSegmentIndexLocked(segmentationId, SEGMENT_INDEX, segment.locked);
    }
  }

  private styles() {
    return Array.from(this.ready.values(), ({ segment, labelmap }) => ({
      segmentationId: labelmap.segmentationId,
      colour: [...segment.colour, OPAQUE] as const,
      visible: segment.visible,
    }));
  }

  private layer(number: number): Layer {
    const layer = this.ready.get(number);
    if (layer === undefined) throw new Error(`Segment ${number} has no labelmap in the viewer.`);
    return layer;
  }

  private tellEdited(segmentationId: string): void {
    const layer = [...this.ready.values()].find(({ labelmap }) => labelmap.segmentationId === segmentationId);
    if (layer === undefined) return;
    for (const listener of this.listeners) listener(layer.segment.number);
  }
}
