/** The prompt tools: strokes of the mouse on the viewports become drawings. */

import type { Drawing, PromptKind, Vector } from '../types';
import { uuid } from '../uuid';
import type { Viewport } from './cornerstone';
import type { Colours, Overlay } from './overlay';
import { shapeOf } from './shapes';
import { StrokeInput, type Stroke, type StrokeListener } from './strokes';
import { acquiredImage, isParallel, slicesOff, type View, vector, viewOf } from './view';
import type { Viewer } from './viewer';

/** Slices between the planes at the start and the end of a stroke that are float noise, not another slice. */
const SAME_PLANE = 0.01;

export class DrawingTools implements StrokeListener {
  private kind: PromptKind | null = null;
  private include = true;
  /** Where the stroke that is being drawn began. */
  private begun: { readonly viewport: Viewport; readonly view: View } | null = null;
  private readonly input: StrokeInput;

  constructor(
    private readonly viewer: Viewer,
    private readonly overlay: Overlay,
    private readonly onDrawing: (drawing: Drawing) => void
  ) {
    this.input = new StrokeInput(this);
  }

  setKind(kind: PromptKind | null): void {
    this.input.cancel();
    this.kind = kind;
  }

  setStyle(include: boolean, colours: Colours): void {
    this.include = include;
    this.overlay.setColours(colours);
  }

  dispose(): void {
    this.input.dispose();
  }

  viewportOf(event: MouseEvent): Viewport | undefined {
    if (this.kind === null) return undefined;
    const viewport = this.viewer.sliceViewportAt(event.target);
    return viewport !== undefined && this.viewer.imageDisplaySets(viewport.id).length > 0 ? viewport : undefined;
  }

  onProgress({ viewport, points }: Stroke): void {
    const shape = this.kind === null ? null : shapeOf(this.kind, points);
    this.begun ??= this.begin(viewport);
    this.overlay.showSketch(viewport, shape && { kind: this.kind!, include: this.include, points: shape });
  }

  onFinished({ viewport, points }: Stroke, time: number): void {
    const begun = this.begun?.view;
    this.onCancelled();
    const shape = this.kind === null ? null : shapeOf(this.kind, points);
    const view = viewOf(this.viewer.core, viewport);
    // Another slice was turned up meanwhile, by a key for instance: the stroke belongs to neither.
    if (shape === null || begun === undefined || !isSamePlane(begun, view)) return;
    const world = shape.map(point => vector(viewport.canvasToWorld(point)));
    const drawing = this.drawingOf(viewport, view, world, time);
    if (drawing === null) return;
    this.overlay.add(drawing);
    this.onDrawing(drawing);
  }

  onCancelled(): void {
    if (this.begun !== null) this.overlay.showSketch(this.begun.viewport, null);
    this.begun = null;
  }

  /** Pressing the button activates the viewport, as it does with the viewer's own tools. */
  private begin(viewport: Viewport): { readonly viewport: Viewport; readonly view: View } {
    const { viewportGridService } = this.viewer.services;
    if (viewportGridService.getActiveViewportId() !== viewport.id) viewportGridService.setActiveViewportId(viewport.id);
    return { viewport, view: viewOf(this.viewer.core, viewport) };
  }

  private drawingOf(viewport: Viewport, view: View, points: readonly Vector[], finishedAt: number): Drawing | null {
    const [displaySet] = this.viewer.imageDisplaySets(viewport.id);
    if (this.kind === null || displaySet === undefined) return null;
    const image = acquiredImage(this.viewer.core, viewport, view);
    return {
      id: uuid(),
      kind: this.kind,
      include: this.include,
      points,
      planeNormal: view.normal,
      frameOfReferenceUid: viewport.getFrameOfReferenceUID(),
      ...(image ?? {}),
      seriesInstanceUid: displaySet.SeriesInstanceUID,
      finishedAt,
    };
  }
}

function isSamePlane(a: View, b: View): boolean {
  return isParallel(a, b.normal) && slicesOff(a, b.point) <= SAME_PLANE;
}
