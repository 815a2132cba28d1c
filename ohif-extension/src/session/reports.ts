/** What a person asks for beside the segments: measurements, stored versions, files of other formats. */

import { ProblemError } from '../api/problem';
import type { ExportBody, ExportReply, MeasurementsReply, MeasuresReply, VersionReply } from '../api/wire';
import type {
  ExportState,
  MeasuredState,
  Percentage,
  ReportsState,
  SegmentMeasures,
  StoredVersion,
} from '../types';
import { uuid } from '../uuid';
import type { Context, OpenSession } from './context';
import { problemOf } from './problems';
import type { Store } from './store';

/** Between two looks at an export. */
const POLL_MS = 500;
const NOT_MEASURED: MeasuredState = { pending: true, unit: '', note: null, segments: {}, problem: null };

export class Reports {
  private closed = false;

  constructor(
    private readonly context: Context,
    private readonly session: () => OpenSession | null
  ) {}

  close(): void {
    this.closed = true;
  }

  async measure(): Promise<void> {
    const id = this.session()?.id;
    if (id === undefined) return;
    const { store, connection } = this.context;
    const before = reportsOf(store, id).measured ?? NOT_MEASURED;
    updateReports(store, id, { measured: { ...before, pending: true, problem: null } });
    try {
      updateReports(store, id, { measured: measuredState(await connection.call(client => client.measurements(id))) });
    } catch (error) {
      updateReports(store, id, { measured: { ...before, pending: false, problem: problemOf(error) } });
    }
  }

  async listVersions(): Promise<void> {
    const { store, connection, host } = this.context;
    const series = store.state.session?.series ?? host.activeSeries();
    if (series === null) return;
    const { studyInstanceUid, seriesInstanceUid } = series;
    const known = store.state.versions;
    const list = known?.seriesInstanceUid === seriesInstanceUid ? known.list : [];
    const state = { pending: true, seriesInstanceUid, list, problem: null };
    store.update({ versions: state });
    try {
      const found = await connection.call(client => client.segmentations(studyInstanceUid, seriesInstanceUid));
      store.update({ versions: { ...state, pending: false, list: found.map(storedVersion).reverse() } });
    } catch (error) {
      store.update({ versions: { ...state, pending: false, problem: problemOf(error) } });
    }
  }

  async export(formats: readonly string[]): Promise<void> {
    const id = this.session()?.id;
    if (id === undefined) return;
    const { store, connection } = this.context;
    const key = uuid();
    const body = { formats: [...formats] } as ExportBody;
    let shown: ExportState = { state: 'running', done: 0, total: formats.length, refused: [], problem: null };
    const show = (changes: Partial<ExportState>) => {
      shown = { ...shown, ...changes };
      updateReports(store, id, { exporting: shown });
    };
    show({});
    try {
      let reply = await connection.call(client => client.requestExport(id, body, key));
      while (reply.state === 'waiting' || reply.state === 'running') {
        show({ done: reply.done, total: reply.total });
        await connection.pause.wait(POLL_MS);
        if (this.closed) return;
        const { id: exportId } = reply;
        reply = await connection.insist(client => client.export(exportId));
      }
      const { id: exportId } = reply;
      if (reply.state === 'done') save(await connection.call(client => client.exportFile(exportId)), 'delineate-export.zip');
      show({ state: reply.state, done: reply.done, total: reply.total, refused: refusedFormats(reply) });
    } catch (error) {
      show({ state: 'failed', problem: problemOf(error) });
    }
  }
}

/** Change what is known beside a session's segments; what belongs to another session is forgotten. */
export function updateReports(store: Store, sessionId: string, changes: Partial<ReportsState>): void {
  store.update({ reports: { ...reportsOf(store, sessionId), ...changes } });
}

function reportsOf(store: Store, sessionId: string): ReportsState {
  const { reports } = store.state;
  return reports?.sessionId === sessionId ? reports : { sessionId, measured: null, exporting: null, newer: [] };
}

/** The newer versions that an accept ran into, if that is what the service says. */
export function newerVersions(error: unknown): StoredVersion[] {
  if (!(error instanceof ProblemError) || error.type !== 'newer-versions') return [];
  const { versions } = error.document;
  return (Array.isArray(versions) ? (versions as Partial<VersionReply>[]) : []).map(one => ({
    sopInstanceUid: String(one.sop_instance_uid),
    seriesInstanceUid: '',
    version: null,
    newest: true,
    creator: one.creator ?? '',
    createdAt: one.created_at ?? null,
    description: one.description ?? '',
    segments: [],
  }));
}

function storedVersion(reply: VersionReply): StoredVersion {
  return {
    sopInstanceUid: reply.sop_instance_uid,
    seriesInstanceUid: reply.series_instance_uid,
    version: reply.version,
    newest: reply.newest,
    creator: reply.creator || reply.made_by,
    createdAt: reply.created_at,
    description: reply.description,
    segments: reply.segments.map(segment => segment.label),
  };
}

function measuredState(reply: MeasurementsReply): MeasuredState {
  const segments = Object.fromEntries(
    reply.segments.map(({ number, revision, measurements: found }) => [
      number,
      found && measuresOf(revision, found),
    ])
  );
  return { pending: false, unit: unitOf(reply.unit), note: reply.value_note, segments, problem: null };
}

function measuresOf(revision: number, found: MeasuresReply): SegmentMeasures {
  const { mean, standard_deviation: standardDeviation, minimum, maximum, percentiles } = found.values;
  const percentile = (percentage: Percentage) => percentiles[percentage] ?? Number.NaN;
  return {
    revision,
    volumeMl: found.volume_ml,
    meshVolumeMl: found.mesh_volume_ml,
    longestMm: found.in_plane.longest.length_mm,
    perpendicularMm: found.in_plane.perpendicular.length_mm,
    longestInSpaceMm: found.longest.length_mm,
    surfaceMm2: found.surface_mm2,
    centroid: found.centroid,
    mean,
    standardDeviation,
    percentiles: { 5: percentile(5), 25: percentile(25), 50: percentile(50), 75: percentile(75), 95: percentile(95) },
    minimum,
    maximum,
  };
}

const UNITS: Readonly<Record<string, string>> = { "[hnsf'U]": 'HU', '{SUVbw}g/ml': 'SUVbw', '1': '' };

function unitOf({ value }: { readonly value: string }): string {
  return UNITS[value] ?? value;
}

function refusedFormats(reply: ExportReply): ExportState['refused'] {
  return reply.formats
    .filter(one => one.state === 'failed')
    .map(one => ({ format: one.name, reason: one.reason ?? 'It could not be written.' }));
}

/** Have the browser save a file where it saves downloads. */
function save(file: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
