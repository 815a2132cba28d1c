/**
 * The mouse on the viewports while a prompt tool is armed.
 *
 * Cornerstone waits 400 ms after each mouse-up for a double click. So the primary button is taken here, in the capture
 * phase, before cornerstone's listeners see it; every other button, the wheel and all modified clicks stay the viewer's.
 */

import type { CanvasPoint, Viewport } from './cornerstone';
import { canvasPoint } from './viewer';

/** CSS pixels between two points of a stroke. */
const LEAST_STEP_PX = 1.5;

export interface Stroke {
  readonly viewport: Viewport;
  readonly points: readonly CanvasPoint[];
}

/** What the owner of the strokes has to say and wants to hear. */
export interface StrokeListener {
  /** The viewport on which an event begins a stroke, or undefined when it is none of ours. */
  viewportOf(event: MouseEvent): Viewport | undefined;
  onProgress(stroke: Stroke): void;
  /** `time`: of the mouse-up, on the clock of `performance.now()`. */
  onFinished(stroke: Stroke, time: number): void;
  onCancelled(): void;
}

export class StrokeInput {
  private stroke: { readonly viewport: Viewport; readonly points: CanvasPoint[] } | null = null;
  private readonly removal = new AbortController();

  constructor(private readonly listener: StrokeListener) {
    const options = { capture: true, signal: this.removal.signal };
    window.addEventListener('mousedown', event => this.begin(event), options);
    window.addEventListener('pointermove', event => this.extend(event), options);
    window.addEventListener('mousemove', event => this.swallowWhileDrawing(event), options);
    window.addEventListener('mouseup', event => this.finish(event), options);
    window.addEventListener('dblclick', event => this.swallowDoubleClick(event), options);
    window.addEventListener('wheel', event => this.swallowWhileDrawing(event), { ...options, passive: false });
    window.addEventListener('keydown', event => this.cancelByEscape(event), options);
    window.addEventListener('blur', () => this.cancel(), options);
  }

  /** Forget the stroke that is being drawn. */
  cancel(): void {
    if (this.stroke === null) return;
    this.stroke = null;
    this.listener.onCancelled();
  }

  dispose(): void {
    this.cancel();
    this.removal.abort();
  }

  private begin(event: MouseEvent): void {
    if (!isPlainPrimary(event)) {
      this.cancel();
      return;
    }
    const viewport = this.listener.viewportOf(event);
    if (viewport === undefined) return;
    swallow(event);
    blurFocusedField();
    this.stroke = { viewport, points: [canvasPoint(viewport, event)] };
    this.listener.onProgress(this.stroke);
  }

  private extend(event: PointerEvent): void {
    if (this.stroke === null) return;
    // The button was released where the page could not see it.
    if ((event.buttons & 1) === 0) {
      this.cancel();
      return;
    }
    const samples = event.getCoalescedEvents();
    for (const sample of samples.length === 0 ? [event] : samples) this.append(sample);
    this.listener.onProgress(this.stroke);
  }

  private finish(event: MouseEvent): void {
    const { stroke } = this;
    if (stroke === null || event.button !== 0) return;
    swallow(event);
    this.append(event, 0);
    this.stroke = null;
    this.listener.onFinished(stroke, event.timeStamp);
  }

  private append(event: MouseEvent, leastStep = LEAST_STEP_PX): void {
    if (this.stroke === null) return;
    const point = canvasPoint(this.stroke.viewport, event);
    const last = this.stroke.points.at(-1)!;
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) > leastStep) this.stroke.points.push(point);
  }

  private swallowDoubleClick(event: MouseEvent): void {
    if (this.listener.viewportOf(event) !== undefined) swallow(event);
  }

  /** Another slice in the middle of a stroke would tear it apart. */
  private swallowWhileDrawing(event: Event): void {
    if (this.stroke !== null) swallow(event);
  }

  private cancelByEscape(event: KeyboardEvent): void {
    if (this.stroke === null || event.key !== 'Escape') return;
    swallow(event);
    this.cancel();
  }
}

function isPlainPrimary(event: MouseEvent): boolean {
  return event.button === 0 && !event.ctrlKey && !event.shiftKey && !event.altKey && !event.metaKey;
}

function swallow(event: Event): void {
  event.stopImmediatePropagation();
  event.preventDefault();
}

/** What the swallowed event would have done: a text field being edited ends its edit, and keys work again. */
function blurFocusedField(): void {
  if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
}
