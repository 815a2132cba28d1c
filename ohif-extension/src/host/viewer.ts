/** The viewer's libraries and services in one place, and its viewports. */

import type { CanvasPoint, Core, Tools, Viewport } from './cornerstone';
import type { DisplaySet, ExtensionContext, Services } from './ohif';

const CORNERSTONE = '@ohif/extension-cornerstone.utilityModule.common';

/** Viewport types that show slices, on which a person can draw. */
const SLICE_TYPES: ReadonlySet<string> = new Set(['stack', 'orthographic']);

export class Viewer {
  readonly core: Core;
  readonly tools: Tools;
  readonly services: Services;

  constructor(readonly context: ExtensionContext) {
    const module = context.extensionManager.getModuleEntry(CORNERSTONE);
    if (module === undefined) {
      throw new Error(`The viewer has no ${CORNERSTONE}: Delineate needs OHIF 3.13 with its cornerstone extension.`);
    }
    const libraries = module.exports.getCornerstoneLibraries();
    this.core = libraries.cornerstone;
    this.tools = libraries.cornerstoneTools;
    this.services = context.servicesManager.services;
  }

  /** All viewports that show slices. */
  sliceViewports(): Viewport[] {
    return this.core
      .getRenderingEngines()
      .flatMap(engine => engine.getViewports())
      .filter(viewport => SLICE_TYPES.has(viewport.type));
  }

  /** The one whose id it is, if it shows slices. */
  sliceViewport(viewportId: string | null): Viewport | undefined {
    return this.sliceViewports().find(viewport => viewport.id === viewportId);
  }

  activeSliceViewport(): Viewport | undefined {
    return this.sliceViewport(this.services.viewportGridService.getActiveViewportId());
  }

  /** The slice viewport that an event hit, if it did. */
  sliceViewportAt(target: EventTarget | null): Viewport | undefined {
    const element = target instanceof Element ? target.closest<HTMLDivElement>('[data-viewport-uid]') : null;
    const viewport = element === null ? undefined : this.core.getEnabledElement(element)?.viewport;
    return viewport !== undefined && SLICE_TYPES.has(viewport.type) ? viewport : undefined;
  }

  /** The image series that a viewport shows, the background first; SEGs and the like left out. */
  imageDisplaySets(viewportId: string): DisplaySet[] {
    const { viewportGridService, displaySetService } = this.services;
    return (viewportGridService.getDisplaySetsUIDsForViewport(viewportId) ?? [])
      .map(uid => displaySetService.getDisplaySetByUID(uid))
      .filter(set => set !== undefined)
      .filter(isImageSeries);
  }
}

/** Whether it has pixels of its own, which SRs lack and SEGs and the like are laid over. */
export function isImageSeries({ isOverlayDisplaySet, isDerivedDisplaySet, instances }: DisplaySet): boolean {
  return isOverlayDisplaySet !== true && isDerivedDisplaySet !== true && (instances?.[0]?.Rows ?? 0) > 0;
}

/** CSS pixels from the top left corner of the viewport, kept inside it. */
export function canvasPoint(viewport: Viewport, event: MouseEvent): CanvasPoint {
  const { left, top, width, height } = viewport.element.getBoundingClientRect();
  const within = (value: number, size: number) => Math.min(Math.max(value, 0), size);
  return [within(event.clientX - left, width), within(event.clientY - top, height)];
}
