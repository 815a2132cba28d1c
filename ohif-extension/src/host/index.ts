/** Everything that knows OHIF and cornerstone, behind {@link Host}. */

import type {
  Canvas,
  Drawing,
  Geometry,
  Host,
  Plane,
  PromptKind,
  Series,
  SliceSource,
  StoredSegmentation,
  Study,
  Unsubscribe,
  Vector,
} from '../types';
import { ViewerCanvas } from './canvas';
import { DrawingTools } from './drawing';
import { Listeners } from './listeners';
import type { ExtensionContext, Subscription } from './ohif';
import { Overlay, type Colours } from './overlay';
import { planeOfViewport, turnToSlice } from './planes';
import { PromptTool } from './promptTool';
import { remember, type Step } from './history';
import { activeSeriesOf, seriesByUid, storedSegmentationsOf, studyOf } from './series';
import { showStored } from './stored';
import { Viewer } from './viewer';

const DEFAULT_COLOURS: Colours = { include: [0, 200, 0], exclude: [230, 0, 0] };

/** The viewer while one of its modes is open; dispose of it when the mode is left. */
export class ViewerHost implements Host {
  private readonly viewer: Viewer;
  private readonly overlay: Overlay;
  private readonly drawing: DrawingTools;
  private readonly tool: PromptTool;
  private readonly drawings = new Listeners<[Drawing]>();
  private readonly toolChanges = new Listeners<[PromptKind | null]>();
  private readonly viewerChanges = new Listeners<[]>();
  private readonly planeChanges = new Listeners<[]>();
  private readonly canvases = new Set<ViewerCanvas>();
  private readonly subscriptions: readonly Subscription[];
  private readonly removal = new AbortController();

  constructor(context: ExtensionContext) {
    this.viewer = new Viewer(context);
    const { core } = this.viewer;
    this.overlay = new Overlay(core, () => this.viewer.sliceViewports(), DEFAULT_COLOURS);
    this.drawing = new DrawingTools(this.viewer, this.overlay, drawing => this.drawings.tell(drawing));
    this.tool = new PromptTool(this.viewer, () => this.giveUpTool());
    this.subscriptions = this.followViewer();
    const plane = () => this.planeChanges.tell();
    for (const event of [core.Enums.Events.ELEMENT_ENABLED, core.Enums.Events.ELEMENT_DISABLED]) {
      core.eventTarget.addEventListener(event, plane, { signal: this.removal.signal });
    }
    // Fired on the viewports' elements; captured at the top, so that new viewports need no care.
    document.addEventListener(core.Enums.Events.CAMERA_MODIFIED, plane, { capture: true, signal: this.removal.signal });
  }

  study(): Study | null {
    return studyOf(this.viewer);
  }

  activeSeries(): Series | null {
    return activeSeriesOf(this.viewer);
  }

  series(seriesInstanceUid: string): Series | null {
    return seriesByUid(this.viewer, seriesInstanceUid);
  }

  storedSegmentations(): readonly StoredSegmentation[] {
    return storedSegmentationsOf(this.viewer);
  }

  onViewerChanged(listener: () => void): Unsubscribe {
    return this.viewerChanges.add(listener);
  }

  setTool(kind: PromptKind | null): void {
    this.drawing.setKind(kind);
    if (kind === null) this.tool.disarm();
    else this.tool.arm();
  }

  setPromptStyle({ include, includeColour, excludeColour }: Parameters<Host['setPromptStyle']>[0]): void {
    this.drawing.setStyle(include, { include: includeColour, exclude: excludeColour });
  }

  onDrawing(listener: (drawing: Drawing) => void): Unsubscribe {
    return this.drawings.add(listener);
  }

  onToolChanged(listener: (kind: PromptKind | null) => void): Unsubscribe {
    return this.toolChanges.add(listener);
  }

  showPrompts(drawings: readonly Drawing[], visible: boolean): void {
    this.overlay.show(drawings, visible);
  }

  plane(geometry: Geometry): Plane {
    return planeOfViewport(this.viewer.activeSliceViewport(), geometry);
  }

  onPlaneChanged(listener: () => void): Unsubscribe {
    return this.planeChanges.add(listener);
  }

  turnToNearestSlicePlane(geometry: Geometry): void {
    const viewport = this.viewer.activeSliceViewport();
    if (planeOfViewport(viewport, geometry) === 'oblique') turnToSlice(viewport!, geometry);
  }

  openCanvas(series: Series, slices: readonly SliceSource[], shape: Vector): Promise<Canvas> {
    const canvas = new ViewerCanvas(this.viewer, series, slices, shape);
    this.canvases.add(canvas);
    return Promise.resolve(canvas);
  }

  rememberStep(step: Step): void {
    const isOurs = (segmentationId: string) => [...this.canvases].some(canvas => canvas.owns(segmentationId));
    remember(this.history, step, isOurs);
  }

  showStoredSegmentation(seriesInstanceUid: string, sopInstanceUid: string): Promise<void> {
    return showStored(this.viewer, seriesInstanceUid, sopInstanceUid);
  }

  authorization(): Readonly<Record<string, string>> {
    return this.viewer.services.userAuthenticationService.getAuthorizationHeader() ?? {};
  }

  configuredServiceUrl(): string | undefined {
    return this.viewer.context.appConfig.delineate?.serviceUrl;
  }

  /** Take everything of ours off the page. */
  dispose(): void {
    this.tool.disarm();
    this.tool.dispose();
    this.drawing.dispose();
    this.overlay.dispose();
    for (const canvas of this.canvases) canvas.close();
    this.removal.abort();
    for (const subscription of this.subscriptions) subscription.unsubscribe();
  }

  /** The viewer's own undo history. */
  private get history() {
    return this.viewer.core.utilities.HistoryMemo.DefaultHistoryMemo;
  }

  private giveUpTool(): void {
    this.drawing.setKind(null);
    this.toolChanges.tell(null);
  }

  private followViewer(): readonly Subscription[] {
    const { displaySetService: sets, viewportGridService: grid } = this.viewer.services;
    const changed = () => {
      this.viewerChanges.tell();
      this.planeChanges.tell();
    };
    return [
      sets.subscribe(sets.EVENTS.DISPLAY_SETS_ADDED, changed),
      sets.subscribe(sets.EVENTS.DISPLAY_SETS_REMOVED, changed),
      sets.subscribe(sets.EVENTS.DISPLAY_SETS_CHANGED, changed),
      grid.subscribe(grid.EVENTS.ACTIVE_VIEWPORT_ID_CHANGED, changed),
      grid.subscribe(grid.EVENTS.GRID_STATE_CHANGED, changed),
    ];
  }
}
