/** The part of cornerstone 5 that the host uses, as the viewer hands it over (`getCornerstoneLibraries`). */

import type { Vector } from '../types';

/** CSS pixels from the top left corner of a viewport's element. */
export type CanvasPoint = readonly [number, number];

export interface Camera {
  readonly viewPlaneNormal: Vector;
  readonly viewUp: Vector;
  readonly focalPoint: Vector;
  readonly position: Vector;
}

/** A stack or volume viewport; the last group of members only where its type has it. */
export interface Viewport {
  readonly id: string;
  /** `stack`, `orthographic`, `volume3d` ... */
  readonly type: string;
  readonly element: HTMLDivElement;
  readonly canvas: HTMLCanvasElement;
  canvasToWorld(point: CanvasPoint): Vector;
  worldToCanvas(point: Vector): CanvasPoint;
  getCamera(): Camera;
  setCamera(camera: Partial<Camera>): void;
  getFrameOfReferenceUID(): string;
  render(): void;
  getCurrentImageId?(): string | undefined;
  getImageIds?(): readonly string[];
  getActors(): readonly { readonly referencedId?: string; readonly uid: string }[];
}

export interface EnabledElement {
  readonly viewport: Viewport;
}

export interface ImagePlane {
  readonly imagePositionPatient: ArrayLike<number>;
  readonly rowCosines: ArrayLike<number>;
  readonly columnCosines: ArrayLike<number>;
}

/** The voxels of one slice, 8 bit. */
export interface LabelmapImage {
  readonly imageId: string;
  readonly referencedImageId: string;
  readonly rows: number;
  readonly columns: number;
  readonly voxelManager: { getScalarData(): Uint8Array };
}

export interface LabelmapVolume {
  readonly imageIds: readonly string[];
}

/** One entry of the viewer's undo history. */
export interface Memo {
  restoreMemo(isUndo?: boolean): void;
  readonly operationType?: string;
  readonly segmentationId?: string;
}

export interface History {
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  push(memo: Memo): void;
  undo(): void;
  redo(): void;
  replaceCurrentMemo(memo: Memo, condition: (current: Memo) => boolean): boolean;
}

export interface Core {
  readonly eventTarget: EventTarget;
  readonly Enums: {
    readonly Events: Readonly<Record<'ELEMENT_ENABLED' | 'ELEMENT_DISABLED' | 'IMAGE_RENDERED' | 'CAMERA_MODIFIED', string>>;
  };
  readonly cache: {
    getImage(imageId: string): LabelmapImage | undefined;
    getVolume(volumeId: string): LabelmapVolume | undefined;
    removeImageLoadObject(imageId: string, options: { readonly force: boolean }): void;
    removeVolumeLoadObject(volumeId: string): void;
  };
  readonly metaData: {
    get(type: 'imagePlaneModule', imageId: string): ImagePlane | undefined;
    get(type: 'sopCommonModule', imageId: string): { readonly sopInstanceUID: string } | undefined;
  };
  readonly utilities: {
    readonly HistoryMemo: { readonly DefaultHistoryMemo: History };
    getTargetVolumeAndSpacingInNormalDir(
      viewport: Viewport,
      camera: Camera
    ): { readonly spacingInNormalDirection: number | null };
  };
  getEnabledElement(element: HTMLDivElement): EnabledElement | undefined;
  getRenderingEngines(): readonly { getViewports(): readonly Viewport[] }[];
}

export interface ToolGroup {
  readonly id: string;
  hasTool(toolName: string): boolean;
  addTool(toolName: string): void;
  setToolPassive(toolName: string): void;
  getActivePrimaryMouseButtonTool(): string | undefined;
}

export interface Segmentation {
  readonly segmentationId: string;
  readonly segments: Readonly<Record<number, { readonly label: string }>>;
  readonly representationData: {
    readonly Labelmap?: { readonly imageIds: readonly string[]; readonly volumeId?: string };
  };
}

export interface LabelmapSpecifier {
  readonly segmentationId: string;
  readonly type: 'Labelmap';
}

/** What a cornerstone tool class is constructed with, and what it makes. */
export type ToolClass = (new (...properties: never[]) => object) & { toolName: string };

export interface Tools {
  readonly BaseTool: ToolClass;
  readonly Enums: {
    readonly Events: Readonly<Record<'TOOL_ACTIVATED' | 'SEGMENTATION_DATA_MODIFIED', string>>;
    readonly MouseBindings: { readonly Primary: number };
  };
  readonly ToolGroupManager: { getAllToolGroups(): readonly ToolGroup[] };
  readonly segmentation: {
    readonly state: {
      getSegmentation(segmentationId: string): Segmentation | undefined;
      getSegmentationRepresentations(viewportId: string, specifier: LabelmapSpecifier): readonly unknown[];
      getViewportIdsWithSegmentation(segmentationId: string): readonly string[];
    };
    readonly config: {
      readonly color: {
        setSegmentIndexColor(
          viewportId: string,
          segmentationId: string,
          segmentIndex: number,
          colour: readonly [number, number, number, number]
        ): void;
      };
      readonly visibility: {
        setSegmentIndexVisibility(
          viewportId: string,
          specifier: LabelmapSpecifier,
          segmentIndex: number,
          visible: boolean
        ): void;
      };
    };
    readonly segmentLocking: {
      isSegmentIndexLocked(segmentationId: string, segmentIndex: number): boolean;
      setSegmentIndexLocked(segmentationId: string, segmentIndex: number, locked: boolean): void;
    };
    readonly segmentIndex: {
      getActiveSegmentIndex(segmentationId: string): number | undefined;
      setActiveSegmentIndex(segmentationId: string, segmentIndex: number): void;
    };
    readonly activeSegmentation: {
      getActiveSegmentation(viewportId: string): Segmentation | undefined;
      setActiveSegmentation(viewportId: string, segmentationId: string): void;
    };
    readonly triggerSegmentationEvents: {
      triggerSegmentationDataModified(segmentationId: string, slices?: readonly number[], segmentIndex?: number): void;
    };
    removeSegmentation(segmentationId: string): void;
    updateSegmentations(
      updates: readonly {
        readonly segmentationId: string;
        readonly payload: { readonly label?: string; readonly segments?: Readonly<Record<number, object>> };
      }[]
    ): void;
  };
  addTool(toolClass: ToolClass): void;
}

export interface CornerstoneLibraries {
  readonly cornerstone: Core;
  readonly cornerstoneTools: Tools;
}
