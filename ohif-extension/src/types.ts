/**
 * What the parts of the extension say to each other.
 *
 * Three parts, each of which knows only this file:
 * - `host/` knows OHIF and cornerstone, and nothing of sessions ({@link Host});
 * - `session/` keeps the session with the service and drives the host ({@link Controller});
 * - `panel/` shows {@link PanelState} and calls {@link Actions}.
 *
 * Positions are LPS millimetres, boxes half-open in voxels with axes (k, j, i), colours 0 to 255.
 */

export type Vector = readonly [number, number, number];
export type Colour = readonly [number, number, number];
export type Bounds = readonly [readonly [number, number], readonly [number, number], readonly [number, number]];
export type PromptKind = 'point' | 'box' | 'scribble' | 'lasso';
export const PROMPT_KINDS: readonly PromptKind[] = ['point', 'box', 'scribble', 'lasso'];
export type Unsubscribe = () => void;

/** A coded concept (value, coding scheme designator, meaning). */
export interface Code {
  readonly value: string;
  readonly scheme: string;
  readonly meaning: string;
}

/** What a person drew with one of the prompt tools, finished. */
export interface Drawing {
  /** A fresh UUID; becomes the prompt's id. */
  readonly id: string;
  readonly kind: PromptKind;
  readonly include: boolean;
  /** One point, four corners in order, a polyline, or an outline. */
  readonly points: readonly Vector[];
  /** Of the plane that it was drawn on; unit length. */
  readonly planeNormal: Vector;
  readonly frameOfReferenceUid: string;
  /** When drawn on an acquired image; absent on a reformatted plane. */
  readonly sopInstanceUid?: string;
  readonly frameNumber?: number;
  /** Of the series that the viewport shows, to tell a fused drawing from one of the session's own series. */
  readonly seriesInstanceUid: string;
  /** `performance.now()` of the mouse-up. */
  readonly finishedAt: number;
}

/** A series that the viewer shows and that a session could be opened on. */
export interface Series {
  readonly studyInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly displaySetInstanceUid: string;
  readonly description: string;
  readonly modality: string;
  readonly instances: number;
  /** Whether OHIF can make a volume of it; if not, stack only. */
  readonly reconstructable: boolean;
}

export interface Study {
  readonly studyInstanceUid: string;
  readonly description: string;
  readonly date: string;
  readonly patientName: string;
  readonly patientId: string;
}

/** A SEG of the open study, as the viewer knows it. */
export interface StoredSegmentation {
  readonly seriesInstanceUid: string;
  readonly sopInstanceUid: string;
  readonly displaySetInstanceUid: string;
  readonly description: string;
  readonly referencedSeriesInstanceUid: string | null;
}

/** One voxel slice of a session's volume: the image that it came from. */
export interface SliceSource {
  readonly sopInstanceUid: string;
  readonly frameNumber: number;
}

export interface Geometry {
  /** Voxels along (k, j, i). */
  readonly shape: Vector;
  /** 4x4, row-major; times (k, j, i, 1) gives LPS mm of voxel centres. */
  readonly affine: readonly (readonly number[])[];
  readonly frameOfReferenceUid: string;
}

/** Voxels of a box, one byte each (0 or 1), C order (k slowest). */
export interface Region {
  readonly box: Bounds;
  readonly voxels: Uint8Array;
}

/** How the plane of the active viewport lies to the session's voxel axes. */
export type Plane = 'aligned' | 'oblique' | 'none';

/** What the service needs the viewer to do, and what happens in the viewer. The only part that knows OHIF. */
export interface Host {
  study(): Study | null;
  /** The series of the active viewport, or null when it shows none (or a SEG alone). */
  activeSeries(): Series | null;
  /** Any series of the open study, to continue a session on it; without it only the active one is known. */
  series?(seriesInstanceUid: string): Series | null;
  storedSegmentations(): readonly StoredSegmentation[];
  /** Also fires when display sets arrive or the active viewport changes. */
  onViewerChanged(listener: () => void): Unsubscribe;

  /** Arm a prompt tool in every viewport; null gives the mouse back to the viewer's own tool. */
  setTool(kind: PromptKind | null): void;
  /** Which prompts the next drawing makes, and in which colours they are drawn. */
  setPromptStyle(style: { include: boolean; includeColour: Colour; excludeColour: Colour }): void;
  onDrawing(listener: (drawing: Drawing) => void): Unsubscribe;
  /** The viewer's user picked another tool by the viewer's own means. */
  onToolChanged(listener: (kind: PromptKind | null) => void): Unsubscribe;
  /** Draw exactly these prompts (a finished drawing is already there under its id) and no others. */
  showPrompts(drawings: readonly Drawing[], visible: boolean): void;

  /** Of the active viewport, to the axes of the geometry. */
  plane(geometry: Geometry): Plane;
  onPlaneChanged(listener: () => void): Unsubscribe;
  turnToNearestSlicePlane(geometry: Geometry): void;

  /** Prepare to paint the segments of a session; each becomes a labelmap of its own, so that segments may overlap. */
  openCanvas(series: Series, slices: readonly SliceSource[], shape: Vector): Promise<Canvas>;
  /** Push a step on the viewer's own undo history, so that OHIF's buttons and keys reach it. */
  rememberStep(step: { undo: () => void; redo: () => void }): void;
  /** Show a stored SEG in the viewer: waits until the viewer knows the instance. */
  showStoredSegmentation(seriesInstanceUid: string, sopInstanceUid: string): Promise<void>;

  /** Headers of the viewer's user authentication, if any. */
  authorization(): Readonly<Record<string, string>>;
  /** Service root from the viewer's configuration, or undefined. */
  configuredServiceUrl(): string | undefined;
}

/** The labelmaps of one session in the viewer. */
export interface Canvas {
  /** Make the segment's labelmap, or change its name, colour, visibility or lock. */
  putSegment(segment: CanvasSegment): Promise<void>;
  removeSegment(number: number): void;
  /** Make it the one that OHIF's brush and eraser edit. */
  activateSegment(number: number): void;
  /**
   * Write absolute voxels into the segment's labelmap. They are there when it returns, so that a {@link read} that
   * follows sees them; the promise resolves after all viewports have rendered.
   */
  write(number: number, region: Region): Promise<PaintTiming>;
  /** Empty the labelmap and write `region`, in the same way: for a full labelmap. */
  replace(number: number, region: Region): Promise<PaintTiming>;
  /** The labelmap's tight box as the viewer holds it now. */
  read(number: number): Region;
  /**
   * A brush or eraser stroke of the viewer's own tools has ended on a segment; not for {@link write}. The session
   * remembers the stroke as a step of its own ({@link Host.rememberStep}), so that the viewer's own memory of it must go.
   */
  onEdited(listener: (number: number) => void): Unsubscribe;
  close(): void;
}

export interface CanvasSegment {
  readonly number: number;
  readonly label: string;
  readonly colour: Colour;
  readonly visible: boolean;
  readonly locked: boolean;
}

/** Milliseconds. */
export interface PaintTiming {
  readonly write: number;
  readonly render: number;
}

/** A problem in words for a radiologist: what happened, and what to do. */
export interface Problem {
  /** The problem's type at the service, or `offline`, `viewer`. */
  readonly type: string;
  readonly title: string;
  readonly detail: string;
}

export type Connection = 'connecting' | 'online' | 'offline';

export interface ModelState {
  readonly id: string;
  readonly name: string;
  readonly demo: boolean;
  readonly licence: string;
  readonly prompts: readonly PromptKind[];
  readonly obliquePrompts: readonly PromptKind[];
}

export interface PreloadState {
  readonly state: 'none' | 'waiting' | 'loading' | 'ready' | 'failed';
  readonly done: number;
  readonly total: number;
  readonly problem: Problem | null;
}

export interface SegmentState {
  readonly number: number;
  readonly label: string;
  readonly category: Code | null;
  readonly type: Code | null;
  /** The anatomic region that a finding is in. */
  readonly region: Code | null;
  /** The side of the region if there is one, else of the type. */
  readonly laterality: Code | null;
  readonly colour: Colour;
  readonly visible: boolean;
  readonly locked: boolean;
  readonly volumeMl: number;
  readonly revision: number;
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  /** Prompts sent and not yet answered. */
  readonly running: number;
  /** Prompts collected and not yet run (collect mode). */
  readonly collected: number;
  /** Prompts of other users' work ahead of the first waiting one; null when none waits. */
  readonly queuePosition: number | null;
  /** Where the last prompt or edit of this segment failed. */
  readonly problem: Problem | null;
}

export interface ResultState {
  readonly id: string;
  readonly state: 'encoding' | 'storing' | 'verifying' | 'stored' | 'waiting' | 'failed';
  readonly reason: string | null;
  /** Seconds since the epoch. */
  readonly nextTryAt: number | null;
  readonly seriesInstanceUid: string;
  readonly sopInstanceUid: string;
  /** Why the structured reports that belong to it could not be stored, or null. */
  readonly reportProblem?: string | null;
}

/** A session of this user on the series, that can be continued. */
export interface ResumableSession {
  readonly id: string;
  readonly seriesInstanceUid: string;
  readonly segments: readonly string[];
  /** Seconds since the epoch. */
  readonly touchedAt: number;
}

export interface SessionState {
  readonly id: string;
  readonly state: 'opening' | 'loading' | 'ready' | 'failed' | 'closed';
  readonly series: Series;
  readonly activeSegment: number | null;
  readonly segments: readonly SegmentState[];
  readonly result: ResultState | null;
  readonly problem: Problem | null;
  /** A SEG that the session was opened from, and why it cannot be changed, if so. */
  readonly openedFrom: { readonly sopInstanceUid: string; readonly readOnly: string | null } | null;
}

/** How the volumes of a several-volume series differ, when the service asks which one to open. */
export interface VolumeChoice {
  readonly key: string;
  readonly description: string;
}

export interface Settings {
  /** Root of the service; empty for the viewer's own origin. */
  readonly serviceUrl: string;
  readonly mode: 'live' | 'collect';
  readonly includeColour: Colour;
  readonly excludeColour: Colour;
}

/** The percentages that percentiles are told of. */
export type Percentage = 5 | 25 | 50 | 75 | 95;

/** What is measured of one segment, as it was at a revision. */
export interface SegmentMeasures {
  readonly revision: number;
  readonly volumeMl: number;
  /** Inside the surface mesh. */
  readonly meshVolumeMl: number;
  readonly longestMm: number;
  readonly perpendicularMm: number;
  readonly longestInSpaceMm: number;
  readonly surfaceMm2: number;
  readonly centroid: Vector;
  readonly mean: number;
  readonly standardDeviation: number;
  readonly percentiles: Readonly<Record<Percentage, number>>;
  readonly minimum: number;
  readonly maximum: number;
}

export interface MeasuredState {
  readonly pending: boolean;
  /** UCUM code of the values, and what it means. */
  readonly unit: string;
  /** Why the values are not in the unit that one would expect, or null. */
  readonly note: string | null;
  /** By segment number; null for an empty segment. */
  readonly segments: Readonly<Record<number, SegmentMeasures | null>>;
  readonly problem: Problem | null;
}

/** A segmentation that the archive holds of the series, or that is on its way there. */
export interface StoredVersion {
  readonly sopInstanceUid: string;
  readonly seriesInstanceUid: string;
  readonly version: number | null;
  /** Whether nothing was made from it yet. */
  readonly newest: boolean;
  readonly creator: string;
  /** ISO 8601, or null. */
  readonly createdAt: string | null;
  readonly description: string;
  readonly segments: readonly string[];
}

export interface VersionsState {
  readonly pending: boolean;
  readonly seriesInstanceUid: string;
  readonly list: readonly StoredVersion[];
  readonly problem: Problem | null;
}

export interface ExportState {
  readonly state: 'running' | 'done' | 'failed';
  readonly done: number;
  readonly total: number;
  /** Formats that could not be written, and why. */
  readonly refused: readonly { readonly format: string; readonly reason: string }[];
  readonly problem: Problem | null;
}

/** What was asked for beside the segments themselves. */
export interface ReportsState {
  /** Of the session that it belongs to. */
  readonly sessionId: string;
  readonly measured: MeasuredState | null;
  readonly exporting: ExportState | null;
  /** Newer versions of somebody else that an accept ran into: a choice. */
  readonly newer: readonly StoredVersion[];
}

export interface PanelState {
  readonly connection: Connection;
  readonly connectionProblem: Problem | null;
  readonly study: Study | null;
  readonly series: Series | null;
  readonly model: ModelState | null;
  readonly preload: PreloadState;
  readonly session: SessionState | null;
  readonly resumable: readonly ResumableSession[];
  readonly volumeChoices: readonly VolumeChoice[];
  readonly storedSegmentations: readonly StoredSegmentation[];
  readonly tool: PromptKind | null;
  readonly include: boolean;
  readonly promptsVisible: boolean;
  readonly plane: Plane;
  readonly settings: Settings;
  /** Prompts drawn and not yet taken by the service (kept through a lost connection and a reload). */
  readonly unsent: number;
  /** The segment that the person is being asked whether to delete. */
  readonly askDelete?: number | null;
  /** Something to know that is no problem, in words; null when there is nothing. */
  readonly notice?: string | null;
  readonly reports?: ReportsState | null;
  readonly versions?: VersionsState | null;
}

export interface TerminologyEntry {
  readonly label: string;
  readonly category: Code;
  readonly type: Code;
  /** Lateralities that this type can take; empty when it has none or is one already. */
  readonly lateralities: readonly Code[];
  /** Whether it can be in an anatomic region, rather than being one. */
  readonly takesRegion: boolean;
  /** Suggested by the terminology, or null. */
  readonly colour: Colour | null;
  /** What a preset of the site gives as well. An entry of the terminology has no such. */
  readonly preset?: Pick<SegmentState, 'region' | 'laterality'>;
}

/** What is searched: what a segment can be, or the anatomic regions that a finding can be in. */
export type SearchAmong = 'types' | 'regions';

export type Description = Pick<SegmentState, 'label' | 'category' | 'type' | 'region' | 'laterality' | 'colour' | 'locked'>;

/** What a person can do; none of these throws: failures appear in the state, where they happened. */
export interface Actions {
  start(): Promise<void>;
  startVolume(key: string): Promise<void>;
  resume(sessionId: string): Promise<void>;
  openStored(segmentation: StoredSegmentation): Promise<void>;
  close(): Promise<void>;
  setTool(kind: PromptKind | null): void;
  setInclude(include: boolean): void;
  setPromptsVisible(visible: boolean): void;
  turnToNearestSlicePlane(): void;
  addSegment(): Promise<void>;
  /** Goes to the following segment, and makes a new one after the last. */
  nextSegment(): Promise<void>;
  selectSegment(number: number): void;
  describeSegment(
    number: number,
    changes: Partial<Description>
  ): Promise<void>;
  setVisible(number: number, visible: boolean): void;
  /** Ask the person whether to delete a segment, which cannot be undone; null takes the question back. */
  askDelete(number: number | null): void;
  deleteSegment(number: number): Promise<void>;
  resetSegment(number: number): Promise<void>;
  undo(): Promise<void>;
  redo(): Promise<void>;
  /** Run the collected prompts of the active segment. */
  run(): Promise<void>;
  accept(): Promise<void>;
  /** Accept, and store beside the newer versions that are known. */
  acceptBeside(): Promise<void>;
  measure(): Promise<void>;
  /** Read the stored segmentations of the session's series, or of the active viewport's. */
  listVersions(): Promise<void>;
  openVersion(version: StoredVersion): Promise<void>;
  /** Write the segments as files of those formats, and have the browser save them. */
  exportSegments(formats: readonly string[]): Promise<void>;
  retryAccept(): Promise<void>;
  showResult(): Promise<void>;
  searchTerminology(query: string, among: SearchAmong): Promise<readonly TerminologyEntry[]>;
  /** The names that the site gives its segments. */
  sitePresets(): Promise<readonly TerminologyEntry[]>;
  changeSettings(changes: Partial<Settings>): void;
  reconnect(): Promise<void>;
  dismissProblem(): void;
}

/** An external store for React's `useSyncExternalStore`, and the actions on it. */
export interface Controller {
  readonly actions: Actions;
  getState(): PanelState;
  subscribe(listener: () => void): Unsubscribe;
  dispose(): void;
}
