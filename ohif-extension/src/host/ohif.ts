/** The part of OHIF 3.13 that the host uses. */

import type { CornerstoneLibraries } from './cornerstone';

export interface Subscription {
  unsubscribe(): void;
}

interface PubSub<Name extends string> {
  readonly EVENTS: Readonly<Record<Name, string>>;
  subscribe(event: string, listener: (detail: unknown) => void): Subscription;
}

/** An instance's header, naturalised by dcmjs. */
export interface Instance {
  readonly StudyInstanceUID: string;
  readonly StudyDescription?: string;
  readonly StudyDate?: string;
  readonly PatientID?: string;
  readonly PatientName?: string | PersonName | readonly PersonName[];
  readonly Rows?: number;
}

export interface PersonName {
  readonly Alphabetic?: string;
}

export interface DisplaySet {
  readonly displaySetInstanceUID: string;
  readonly StudyInstanceUID: string;
  readonly SeriesInstanceUID: string;
  readonly SOPInstanceUID?: string;
  readonly SeriesDescription?: string;
  readonly Modality: string;
  readonly isReconstructable?: boolean;
  readonly isOverlayDisplaySet?: boolean;
  readonly isDerivedDisplaySet?: boolean;
  readonly imageIds?: readonly string[];
  readonly instances?: readonly Instance[];
  readonly referencedSeriesInstanceUID?: string | null;
  readonly referencedDisplaySetInstanceUID?: string | null;
  /** Of a SEG: fetch and decode it, once. */
  load?(options: { readonly headers: Readonly<Record<string, string>> }): Promise<unknown>;
}

interface GridViewport {
  readonly viewportId: string;
  readonly displaySetInstanceUIDs: readonly string[];
}

export type PanelService = PubSub<'ACTIVATE_PANEL'> & { activatePanel(panelId: string, force: boolean): void };

export interface Services {
  readonly displaySetService: PubSub<'DISPLAY_SETS_ADDED' | 'DISPLAY_SETS_CHANGED' | 'DISPLAY_SETS_REMOVED'> & {
    getActiveDisplaySets(): readonly DisplaySet[];
    getDisplaySetByUID(displaySetInstanceUid: string): DisplaySet | undefined;
  };
  readonly viewportGridService: PubSub<
    'ACTIVE_VIEWPORT_ID_CHANGED' | 'GRID_STATE_CHANGED' | 'LAYOUT_CHANGED' | 'VIEWPORTS_READY'
  > & {
    getActiveViewportId(): string | null;
    setActiveViewportId(viewportId: string): void;
    getDisplaySetsUIDsForViewport(viewportId: string): readonly string[] | undefined;
    getState(): { readonly viewports: ReadonlyMap<string, GridViewport> };
  };
  readonly cornerstoneViewportService: PubSub<'VIEWPORT_DATA_CHANGED'>;
  readonly segmentationService: PubSub<'SEGMENTATION_REMOVED'> & {
    createLabelmapForDisplaySet(
      displaySet: DisplaySet,
      options: {
        readonly segmentationId: string;
        readonly label: string;
        readonly segments: Readonly<Record<number, { readonly label: string; readonly active: boolean }>>;
      }
    ): Promise<string>;
    addSegmentationRepresentation(
      viewportId: string,
      options: { readonly segmentationId: string; readonly type: 'Labelmap' }
    ): Promise<void>;
  };
  readonly panelService: PanelService;
  readonly toolbarService: { refreshToolbarState(properties: { readonly viewportId: string | null }): void };
  readonly userAuthenticationService: {
    getAuthorizationHeader(): Readonly<Record<string, string>> | undefined;
  };
}

/** OHIF's DICOMweb data source. */
export interface DataSource {
  getConfig?(): { readonly name?: string };
  getImageIdsForDisplaySet(displaySet: DisplaySet): readonly string[];
  deleteStudyMetadataPromise?(studyInstanceUid: string): void;
  readonly retrieve: {
    readonly series: {
      metadata(query: {
        readonly StudyInstanceUID: string;
        readonly filters: { readonly seriesInstanceUID: readonly string[] };
      }): Promise<unknown>;
    };
  };
}

export interface CommandsManager {
  runCommand(name: string, options?: Readonly<Record<string, unknown>>): unknown;
}

export interface ExtensionManager {
  getModuleEntry(name: string): { readonly exports: { getCornerstoneLibraries(): CornerstoneLibraries } } | undefined;
  getActiveDataSource(): readonly DataSource[];
}

export interface AppConfig {
  /** Our own part of the viewer's configuration. */
  readonly delineate?: { readonly serviceUrl?: string };
}

/** What OHIF hands to every hook of an extension. */
export interface ExtensionContext {
  readonly servicesManager: { readonly services: Services };
  readonly commandsManager: CommandsManager;
  readonly extensionManager: ExtensionManager;
  readonly appConfig: AppConfig;
}
