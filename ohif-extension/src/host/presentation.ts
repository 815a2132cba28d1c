/**
 * Labelmaps on the viewports: shown wherever their series is, in their colour, the active one under the brush.
 *
 * Whatever is said to cornerstone about a segmentation, new or not, queues one more picture of every viewport that shows it.
 * So only changes are said.
 */

import type { Series } from '../types';
import type { Viewport } from './cornerstone';
import { SEGMENT_INDEX } from './labelmap';
import type { Subscription } from './ohif';
import type { Viewer } from './viewer';

export interface Style {
  readonly segmentationId: string;
  readonly colour: readonly [number, number, number, number];
  readonly visible: boolean;
}

export class Presentation {
  private active: string | null = null;
  private readonly subscriptions: readonly Subscription[];
  /** Runs one after the other: adding a labelmap to a viewport is asynchronous. */
  private queue: Promise<void> = Promise.resolve();
  private disposed = false;
  /** What each labelmap looks like on each viewport, so that the viewer is told of changes only. */
  private readonly painted = new Map<string, string>();

  constructor(
    private readonly viewer: Viewer,
    private readonly series: Series,
    private readonly styles: () => readonly Style[]
  ) {
    const { viewportGridService, cornerstoneViewportService } = viewer.services;
    const again = () => void this.apply();
    this.subscriptions = [
      viewportGridService.subscribe(viewportGridService.EVENTS.GRID_STATE_CHANGED, again),
      viewportGridService.subscribe(viewportGridService.EVENTS.VIEWPORTS_READY, again),
      cornerstoneViewportService.subscribe(cornerstoneViewportService.EVENTS.VIEWPORT_DATA_CHANGED, again),
    ];
  }

  /** Bring all viewports up to date; resolves when they are. */
  apply(): Promise<void> {
    this.queue = this.queue.then(() => this.applyNow()).catch((error: unknown) => console.warn('Delineate:', error));
    return this.queue;
  }

  /** Make it the one that brush and eraser edit. */
  activate(segmentationId: string): void {
    this.active = segmentationId;
    const { segmentIndex, activeSegmentation } = this.viewer.tools.segmentation;
    if (segmentIndex.getActiveSegmentIndex(segmentationId) !== SEGMENT_INDEX) {
      segmentIndex.setActiveSegmentIndex(segmentationId, SEGMENT_INDEX);
    }
    for (const { id } of this.viewportsWith(segmentationId)) {
      if (activeSegmentation.getActiveSegmentation(id)?.segmentationId === segmentationId) continue;
      activeSegmentation.setActiveSegmentation(id, segmentationId);
    }
  }

  /** Slice viewports on which the labelmap is shown. */
  viewportsWith(segmentationId: string): readonly Viewport[] {
    return this.viewer.sliceViewports().filter(viewport => this.isShown(viewport.id, segmentationId));
  }

  dispose(): void {
    this.disposed = true;
    for (const subscription of this.subscriptions) subscription.unsubscribe();
  }

  private async applyNow(): Promise<void> {
    let added = false;
    for (const viewport of this.viewportsOfSeries()) {
      for (const style of this.disposed ? [] : this.styles()) {
        if (!this.isShown(viewport.id, style.segmentationId)) {
          await this.show(viewport.id, style.segmentationId);
          this.painted.delete(keyOf(viewport.id, style));
          added = true;
        }
        this.paint(viewport.id, style);
      }
    }
    // A labelmap that is added to a viewport becomes its active one.
    if (added && this.active !== null) this.activate(this.active);
  }

  private viewportsOfSeries(): readonly Viewport[] {
    const { displaySetInstanceUid } = this.series;
    const shows = (viewport: Viewport) =>
      this.viewer.imageDisplaySets(viewport.id).some(set => set.displaySetInstanceUID === displaySetInstanceUid);
    return this.viewer.sliceViewports().filter(shows);
  }

  private isShown(viewportId: string, segmentationId: string): boolean {
    const { state } = this.viewer.tools.segmentation;
    return state.getSegmentationRepresentations(viewportId, { segmentationId, type: 'Labelmap' }).length > 0;
  }

  private async show(viewportId: string, segmentationId: string): Promise<void> {
    const options = { segmentationId, type: 'Labelmap' } as const;
    await this.viewer.services.segmentationService.addSegmentationRepresentation(viewportId, options);
  }

  private paint(viewportId: string, style: Style): void {
    const { segmentationId, colour, visible } = style;
    const look = JSON.stringify([colour, visible]);
    const key = keyOf(viewportId, style);
    if (!this.isShown(viewportId, segmentationId) || this.painted.get(key) === look) return;
    this.painted.set(key, look);
    const { color, visibility } = this.viewer.tools.segmentation.config;
    color.setSegmentIndexColor(viewportId, segmentationId, SEGMENT_INDEX, colour);
    const specifier = { segmentationId, type: 'Labelmap' } as const;
    visibility.setSegmentIndexVisibility(viewportId, specifier, SEGMENT_INDEX, visible);
  }
}

function keyOf(viewportId: string, { segmentationId }: Style): string {
  return `${viewportId} ${segmentationId}`;
}
