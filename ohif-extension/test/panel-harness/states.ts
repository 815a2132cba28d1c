/** Every state that the panel can show, by name: for the harness page, the screenshots and the tests. */
import type {
  Code,
  ExportState,
  MeasuredState,
  ModelState,
  PanelState,
  Problem,
  ResultState,
  SegmentState,
  Series,
  SessionState,
  StoredVersion,
  TerminologyEntry,
} from '../../src/types';

const sct = (value: string, meaning: string): Code => ({ value, scheme: 'SCT', meaning });

export const ANATOMY = sct('123037004', 'Anatomical Structure');
export const ABNORMAL = sct('49755003', 'Morphologically Abnormal Structure');
export const LEFT = sct('7771000', 'Left');
export const RIGHT = sct('24028007', 'Right');
export const BOTH = sct('51440002', 'Right and left');
export const KIDNEY = sct('64033007', 'Kidney');
export const CYST = sct('367643001', 'Cyst');

const entry = (
  label: string,
  type: Code,
  lateralities: readonly Code[] = [],
  category: Code = ANATOMY
): TerminologyEntry => ({
  label,
  category,
  type,
  lateralities,
  takesRegion: category !== ANATOMY,
  colour: [185, 102, 83],
});

export const TERMINOLOGY: readonly TerminologyEntry[] = [
  entry('Kidney', KIDNEY, [LEFT, RIGHT, BOTH]),
  entry('Renal artery', sct('2841007', 'Renal artery'), [LEFT, RIGHT]),
  entry('Renal pelvis', sct('25990002', 'Renal pelvis'), [LEFT, RIGHT]),
  entry('Liver', sct('10200004', 'Liver')),
  entry('Lateral ventricle of the brain, anterior horn', sct('66720007', 'Lateral Ventricle'), [LEFT, RIGHT]),
  entry('Mass', sct('4147007', 'Mass'), [], ABNORMAL),
  entry('Cyst', CYST, [], ABNORMAL),
];

export const SERIES: Series = {
  studyInstanceUid: '1.2.3',
  seriesInstanceUid: '1.2.3.4',
  displaySetInstanceUid: 'display-set-1',
  description: 'T1 MPRAGE sagittal, isotropic',
  modality: 'MR',
  instances: 189,
  reconstructable: true,
};

export const DEMO_MODEL: ModelState = {
  id: 'demo',
  name: 'Delineate demo 1',
  demo: true,
  licence: 'Apache-2.0',
  prompts: ['point', 'box', 'scribble', 'lasso'],
  obliquePrompts: ['point', 'scribble'],
};

/** When these states are, in seconds since the epoch: the moment that the module is loaded. */
export const NOW = Date.now() / 1000;

export const IDLE: PanelState = {
  connection: 'online',
  connectionProblem: null,
  study: {
    studyInstanceUid: '1.2.3',
    description: 'MRI head',
    date: '20261102',
    patientName: 'Okonkwo^Adaeze^M',
    patientId: 'MRN-0047113',
  },
  series: SERIES,
  model: DEMO_MODEL,
  preload: { state: 'ready', done: 189, total: 189, problem: null },
  session: null,
  resumable: [],
  volumeChoices: [],
  storedSegmentations: [],
  tool: null,
  include: true,
  promptsVisible: true,
  plane: 'aligned',
  settings: { serviceUrl: '', mode: 'live', includeColour: [60, 210, 110], excludeColour: [240, 80, 80] },
  unsent: 0,
};

export const SEGMENT: SegmentState = {
  number: 1,
  label: 'Left lateral ventricle',
  category: ANATOMY,
  type: sct('66720007', 'Lateral Ventricle'),
  region: null,
  laterality: LEFT,
  colour: [80, 130, 245],
  visible: true,
  locked: false,
  volumeMl: 12.38,
  revision: 4,
  canUndo: true,
  canRedo: false,
  running: 0,
  collected: 0,
  queuePosition: null,
  problem: null,
};

const TUMOUR: SegmentState = {
  ...SEGMENT,
  number: 2,
  label: 'Enhancing mass with surrounding oedema, right frontal lobe',
  category: ABNORMAL,
  type: sct('4147007', 'Mass'),
  region: sct('83251001', 'Frontal Lobe'),
  laterality: RIGHT,
  colour: [245, 150, 60],
  volumeMl: 148.2,
};

const UNNAMED: SegmentState = {
  ...SEGMENT,
  number: 3,
  label: 'Segment 3',
  category: null,
  type: null,
  laterality: null,
  colour: [70, 190, 110],
  volumeMl: 0,
  canUndo: false,
};

export const SESSION: SessionState = {
  id: '1.2.3.4~abc',
  state: 'ready',
  series: SERIES,
  activeSegment: 1,
  segments: [SEGMENT],
  result: null,
  problem: null,
  openedFrom: null,
};

export const READY: PanelState = { ...IDLE, tool: 'point', session: SESSION };

export const problem = (type: string, title: string, detail: string): Problem => ({
  type: `urn:delineate:problem:${type}`,
  title,
  detail,
});

export const result = (state: ResultState['state'], changes: Partial<ResultState> = {}): ResultState => ({
  id: 'r1',
  state,
  reason: null,
  nextTryAt: null,
  seriesInstanceUid: '1.2.3.9',
  sopInstanceUid: '1.2.3.9.1',
  ...changes,
});

export const withSession = (changes: Partial<SessionState>, state: Partial<PanelState> = {}): PanelState => ({
  ...READY,
  ...state,
  session: { ...SESSION, ...changes },
});

const THREE_SEGMENTS: readonly SegmentState[] = [
  { ...SEGMENT, running: 1 },
  { ...TUMOUR, running: 2, queuePosition: 3 },
  {
    ...SEGMENT,
    number: 3,
    label: 'Right hippocampus',
    type: sct('5366008', 'Hippocampus'),
    laterality: RIGHT,
    colour: [220, 100, 210],
    volumeMl: 3.4,
    visible: false,
    locked: true,
  },
];

const RESUMABLE = [
  {
    id: 'a',
    seriesInstanceUid: '1.2.3.4',
    segments: ['Left lateral ventricle', 'Right lateral ventricle', 'Mass'],
    touchedAt: NOW - 760,
  },
  { id: 'b', seriesInstanceUid: '1.2.3.5', segments: [], touchedAt: NOW - 7300 },
];

const STORED = [
  {
    seriesInstanceUid: '1.9',
    sopInstanceUid: '1.9.1',
    displaySetInstanceUid: 'd9',
    description: 'AI-assisted segmentation: ventricles',
    referencedSeriesInstanceUid: '1.2.3.4',
  },
  {
    seriesInstanceUid: '1.8',
    sopInstanceUid: '1.8.1',
    displaySetInstanceUid: 'd8',
    description: '',
    referencedSeriesInstanceUid: null,
  },
];

const OFFLINE = problem(
  'offline',
  'No connection to the Delineate service.',
  'It was answering until a moment ago; it is tried again every few seconds.'
);

export const MEASURED: MeasuredState = {
  pending: false,
  unit: '',
  note: null,
  segments: {
    [SEGMENT.number]: {
      revision: SEGMENT.revision,
      volumeMl: SEGMENT.volumeMl,
      meshVolumeMl: 12.31,
      longestMm: 71.24,
      perpendicularMm: 48.06,
      longestInSpaceMm: 118.9,
      surfaceMm2: 18_433,
      centroid: [17.482, -4.061, 1038.25],
      mean: 112.47,
      standardDeviation: 31.118,
      percentiles: { 5: 61.5, 25: 94.25, 50: 115, 75: 131.75, 95: 158 },
      minimum: 18,
      maximum: 1284.2,
    },
  },
  problem: null,
};

export const VERSIONS: readonly StoredVersion[] = [
  {
    sopInstanceUid: '1.2.840.3',
    seriesInstanceUid: '1.2.840.30',
    version: 3,
    newest: true,
    creator: 'Hopper^Grace',
    createdAt: '2026-11-20T16:42:00+00:00',
    description: 'Delineate AI-assisted segmentation (research use)',
    segments: ['Kidney', 'Mass'],
  },
  {
    sopInstanceUid: '1.2.840.2',
    seriesInstanceUid: '1.2.840.20',
    version: 2,
    newest: false,
    creator: 'Lovelace^Ada',
    createdAt: '2026-11-19T09:05:00+00:00',
    description: 'Delineate AI-assisted segmentation (research use)',
    segments: ['Kidney'],
  },
  {
    sopInstanceUid: '1.2.840.1',
    seriesInstanceUid: '1.2.840.10',
    version: 1,
    newest: false,
    creator: 'Acme Segmentor',
    createdAt: null,
    description: 'Total',
    segments: ['Kidney', 'Liver', 'Spleen'],
  },
];

const EXPORTING: ExportState = { state: 'running', done: 1, total: 3, refused: [], problem: null };

export const STATES: Readonly<Record<string, PanelState>> = {
  'no-series': { ...IDLE, series: null, preload: { state: 'none', done: 0, total: 0, problem: null } },
  'no-study': {
    ...IDLE,
    series: null,
    study: null,
    connection: 'connecting',
    model: null,
    preload: { state: 'none', done: 0, total: 0, problem: null },
  },
  preloading: { ...IDLE, preload: { state: 'loading', done: 74, total: 189, problem: null } },
  ready: IDLE,
  'resume-offered': { ...IDLE, resumable: RESUMABLE, storedSegmentations: STORED },
  'resume-unsent': { ...IDLE, resumable: RESUMABLE, unsent: 2 },
  'volume-choice': {
    ...IDLE,
    series: { ...SERIES, description: 'DWI trace', instances: 96, reconstructable: false },
    preload: { state: 'none', done: 0, total: 0, problem: null },
    volumeChoices: [
      { key: 'b0', description: 'b-value 0 s/mm² (32 images)' },
      { key: 'b500', description: 'b-value 500 s/mm² (32 images)' },
      { key: 'b1000', description: 'b-value 1000 s/mm², gradient direction mean of all directions (32 images)' },
    ],
  },
  loading: withSession(
    { state: 'loading', segments: [], activeSegment: null },
    { preload: { state: 'loading', done: 120, total: 189, problem: null } }
  ),
  'first-segment': withSession({ segments: [], activeSegment: null }),
  'three-segments': withSession({ segments: THREE_SEGMENTS, activeSegment: 2 }),
  locked: withSession({ segments: THREE_SEGMENTS, activeSegment: 3 }),
  oblique: withSession({}, { plane: 'oblique' }),
  collect: withSession(
    { segments: [{ ...SEGMENT, collected: 3 }, TUMOUR] },
    { settings: { ...IDLE.settings, mode: 'collect' }, tool: 'lasso', include: false }
  ),
  naming: withSession({ segments: [SEGMENT, TUMOUR, UNNAMED], activeSegment: 3 }),
  offline: withSession(
    { segments: [{ ...SEGMENT, running: 3 }, TUMOUR] },
    { connection: 'offline', connectionProblem: OFFLINE, unsent: 3 }
  ),
  'service-down': {
    ...IDLE,
    connection: 'offline',
    model: null,
    preload: { state: 'none', done: 0, total: 0, problem: null },
    connectionProblem: problem(
      'offline',
      'The Delineate service does not answer.',
      'Nothing answers at https://viewer.example.org/delineate. The rest of the viewer works as usual.'
    ),
  },
  'model-missing': {
    ...IDLE,
    model: null,
    connectionProblem: problem(
      'licence-not-accepted',
      'The model was not loaded.',
      'The licence of the model nnInteractive v1.0 (CC BY-NC-SA 4.0) is not accepted on this service.'
    ),
  },
  'official-model': withSession(
    {},
    {
      model: {
        ...DEMO_MODEL,
        id: 'official',
        name: 'nnInteractive v1.0 (official weights)',
        demo: false,
        licence: 'Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International (CC BY-NC-SA 4.0)',
      },
    }
  ),
  'accept-storing': withSession({ segments: [SEGMENT, TUMOUR], result: result('storing') }),
  'accept-waiting': withSession({
    segments: [SEGMENT, TUMOUR],
    result: result('waiting', { reason: 'The archive does not answer (connection refused).', nextTryAt: NOW + 90 }),
  }),
  'accept-stored': withSession({ segments: [SEGMENT, TUMOUR], result: result('stored') }),
  'accept-failed': withSession({
    segments: [SEGMENT, TUMOUR],
    result: result('failed', { reason: 'The archive refused the instance: 0xA700, out of resources.' }),
  }),
  measured: withSession(
    { segments: [SEGMENT, TUMOUR], activeSegment: SEGMENT.number },
    { reports: { sessionId: SESSION.id, measured: MEASURED, exporting: null, newer: [] } }
  ),
  versions: withSession(
    { openedFrom: { sopInstanceUid: VERSIONS[1]!.sopInstanceUid, readOnly: null } },
    { versions: { pending: false, seriesInstanceUid: SERIES.seriesInstanceUid, list: VERSIONS, problem: null } }
  ),
  'newer-version': withSession(
    { openedFrom: { sopInstanceUid: VERSIONS[1]!.sopInstanceUid, readOnly: null } },
    { reports: { sessionId: SESSION.id, measured: null, exporting: null, newer: [VERSIONS[0]!] } }
  ),
  'export-running': withSession(
    { segments: [SEGMENT, TUMOUR] },
    { reports: { sessionId: SESSION.id, measured: null, exporting: EXPORTING, newer: [] } }
  ),
  'export-done': withSession(
    { segments: [SEGMENT, TUMOUR] },
    {
      reports: {
        sessionId: SESSION.id,
        measured: null,
        exporting: {
          ...EXPORTING,
          state: 'done',
          done: 3,
          refused: [
            { format: 'seg-labelmap', reason: 'Segments 1 and 2 overlap, which LABELMAP cannot hold. Use BINARY.' },
          ],
        },
        newer: [],
      },
    }
  ),
  'read-only': withSession({
    segments: [SEGMENT, TUMOUR],
    openedFrom: {
      sopInstanceUid: '1.9.1',
      readOnly: 'This segmentation lies on another grid than the series. It can be viewed here, not changed.',
    },
  }),
  problems: withSession(
    {
      segments: [
        {
          ...SEGMENT,
          problem: problem(
            'prompt-outside-volume',
            'The prompt lies outside the volume.',
            'The point is 12 mm below the lowest slice of the series.'
          ),
        },
        { ...TUMOUR, volumeMl: 0 },
        UNNAMED,
      ],
      problem: problem('prediction-failed', 'The model run failed.', 'The service ran out of graphics memory.'),
    },
    {
      notice:
        'The last prompt was drawn on another series of the same frame of reference; it was taken by its position.',
    }
  ),
  'series-refused': {
    ...IDLE,
    series: { ...SERIES, description: 'CT abdomen axial, gantry tilt', modality: 'CT', instances: 42 },
    preload: {
      state: 'failed',
      done: 42,
      total: 42,
      problem: problem(
        'gantry-tilt',
        'The series has a gantry tilt.',
        'The slices are sheared by 12.5 degrees, which no regular grid can hold.'
      ),
    },
  },
  'session-failed': withSession({
    state: 'failed',
    segments: [],
    problem: problem('session-closed', 'The session was closed.', 'It was closed in another window.'),
  }),
};
