/** Prompts drawn over the viewports, in one SVG for each. */

import type { Colour, Drawing, PromptKind, Vector } from '../types';
import type { CanvasPoint, Core, Viewport } from './cornerstone';
import { isParallel, slicesOff, type View, viewOf } from './view';

const SVG = 'http://www.w3.org/2000/svg';
const POINT_RADIUS_PX = 5;
const LINE_WIDTH_PX = 2;
const SCRIBBLE_WIDTH_PX = 4;
/** Dark rim that keeps a line visible on any image. */
const RIM = { colour: 'rgba(0, 0, 0, 0.6)', px: 2 };
/** A drawing is on the slice that its plane lies in. */
const HALF_A_SLICE = 0.5;

export interface Colours {
  readonly include: Colour;
  readonly exclude: Colour;
}

interface Sketch {
  readonly kind: PromptKind;
  readonly include: boolean;
  readonly points: readonly CanvasPoint[];
}

export class Overlay {
  private drawings: readonly Drawing[] = [];
  private visible = true;
  private sketch: (Sketch & { readonly viewport: Viewport }) | null = null;
  private readonly layers = new Map<HTMLDivElement, SVGSVGElement>();
  private readonly followed = new WeakSet<HTMLDivElement>();
  private readonly removal = new AbortController();

  constructor(
    private readonly core: Core,
    private readonly viewports: () => readonly Viewport[],
    private colours: Colours
  ) {
    const { eventTarget, Enums } = core;
    const { signal } = this.removal;
    eventTarget.addEventListener(Enums.Events.ELEMENT_ENABLED, () => this.refresh(), { signal });
    eventTarget.addEventListener(Enums.Events.ELEMENT_DISABLED, () => this.refresh(), { signal });
    this.refresh();
  }

  setColours(colours: Colours): void {
    this.colours = colours;
    this.refresh();
  }

  /** Draw exactly these. */
  show(drawings: readonly Drawing[], visible: boolean): void {
    this.drawings = drawings;
    this.visible = visible;
    this.refresh();
  }

  add(drawing: Drawing): void {
    this.drawings = [...this.drawings, drawing];
    this.refresh();
  }

  /** Draw what is under the mouse, in CSS pixels of its viewport; null when nothing is. */
  showSketch(viewport: Viewport, sketch: Sketch | null): void {
    this.sketch = sketch === null ? null : { ...sketch, viewport };
    this.draw(viewport);
  }

  dispose(): void {
    this.removal.abort();
    for (const layer of this.layers.values()) layer.remove();
    this.layers.clear();
  }

  private refresh(): void {
    const viewports = this.viewports();
    const elements = new Set(viewports.map(viewport => viewport.element));
    for (const [element, layer] of this.layers) {
      if (elements.has(element)) continue;
      layer.remove();
      this.layers.delete(element);
    }
    for (const viewport of viewports) {
      this.follow(viewport.element);
      this.draw(viewport);
    }
  }

  private layerOf(viewport: Viewport): SVGSVGElement {
    const known = this.layers.get(viewport.element);
    if (known?.isConnected) return known;
    const layer = svg('svg', { class: 'delineate-prompts', width: '100%', height: '100%' });
    layer.style.cssText = 'position: absolute; inset: 0; pointer-events: none; overflow: hidden;';
    (viewport.canvas.parentElement ?? viewport.element).append(layer);
    this.layers.set(viewport.element, layer);
    return layer;
  }

  /** Redraw with every new picture; the viewport behind an element may change. */
  private follow(element: HTMLDivElement): void {
    if (this.followed.has(element)) return;
    this.followed.add(element);
    const redraw = () => {
      const viewport = this.viewports().find(one => one.element === element);
      if (viewport !== undefined) this.draw(viewport);
    };
    element.addEventListener(this.core.Enums.Events.IMAGE_RENDERED, redraw, { signal: this.removal.signal });
  }

  private draw(viewport: Viewport): void {
    const shapes: SVGElement[] = [];
    if (this.visible && this.drawings.length > 0) {
      const frame = viewport.getFrameOfReferenceUID();
      const view = viewOf(this.core, viewport);
      const shown = this.drawings.filter(d => d.frameOfReferenceUid === frame && isOnView(view, d));
      shapes.push(...shown.map(drawing => this.shapeOf(onCanvas(viewport, drawing), drawing.id)));
    }
    const { sketch } = this;
    if (sketch?.viewport.element === viewport.element) shapes.push(this.shapeOf(sketch, 'sketch'));
    if (shapes.length > 0 || this.layers.has(viewport.element)) this.layerOf(viewport).replaceChildren(...shapes);
  }

  private shapeOf({ kind, include, points }: Sketch, id: string): SVGElement {
    const colour = `rgb(${(include ? this.colours.include : this.colours.exclude).join(', ')})`;
    const group = svg('g', { 'data-prompt': id, 'data-kind': kind, 'data-include': String(include) });
    const width = kind === 'scribble' ? SCRIBBLE_WIDTH_PX : LINE_WIDTH_PX;
    for (const rim of [true, false]) {
      const stroke = rim ? RIM.colour : colour;
      const line = { stroke, 'stroke-width': width + (rim ? RIM.px : 0), 'stroke-linecap': 'round' };
      group.append(kind === 'point' ? marker(points[0]!, include, line) : path(kind, points, line));
    }
    return group;
  }
}

function isOnView(view: View, { kind, points, planeNormal }: Drawing): boolean {
  if (kind !== 'point' && !isParallel(view, planeNormal)) return false;
  return points.every(point => slicesOff(view, point) <= HALF_A_SLICE);
}

function onCanvas(viewport: Viewport, drawing: Drawing): Sketch {
  const points = drawing.points.map((point: Vector) => viewport.worldToCanvas(point));
  return { kind: drawing.kind, include: drawing.include, points };
}

type Attributes = Readonly<Record<string, string | number>>;

/** A ring around the point with a plus or a minus, so that colour is not the only difference. */
function marker([x, y]: CanvasPoint, include: boolean, line: Attributes): SVGElement {
  const r = POINT_RADIUS_PX;
  const minus = `M ${x - r / 2} ${y} H ${x + r / 2}`;
  const plus = `M ${x} ${y - r / 2} V ${y + r / 2}`;
  const ring = `M ${x - r} ${y} a ${r} ${r} 0 1 0 ${2 * r} 0 a ${r} ${r} 0 1 0 ${-2 * r} 0`;
  return svg('path', { d: [ring, minus, ...(include ? [plus] : [])].join(' '), fill: 'none', ...line });
}

function path(kind: PromptKind, points: readonly CanvasPoint[], line: Attributes): SVGElement {
  const steps = points.map(([x, y], n) => `${n === 0 ? 'M' : 'L'} ${x.toFixed(1)} ${y.toFixed(1)}`);
  const d = [...steps, ...(kind === 'scribble' ? [] : ['Z'])].join(' ');
  return svg('path', { d, fill: 'none', 'stroke-linejoin': 'round', ...line });
}

function svg<Name extends keyof SVGElementTagNameMap>(name: Name, attributes: Attributes): SVGElementTagNameMap[Name] {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
