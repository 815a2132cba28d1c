// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Connection } from '../../src/session/connection';
import type { Context, OpenSession } from '../../src/session/context';
import { Outbox } from '../../src/session/outbox';
import { newerVersions, Reports, updateReports } from '../../src/session/reports';
import { DEFAULT_SETTINGS } from '../../src/session/settings';
import { Store, initialState } from '../../src/session/store';
import { problemReply } from '../api/replies';
import { FakeHost } from '../fakes/host';
import { SERIES, VERSIONS } from '../panel-harness/states';

const ID = '1.2.3.4~abc';
const line = (length_mm: number) => ({ length_mm, ends: [] });
const MEASURED = {
  unit: { value: "[hnsf'U]", scheme: 'UCUM', meaning: 'Hounsfield unit' },
  value_note: 'A note.',
  segments: [
    {
      number: 1,
      revision: 4,
      measurements: {
        volume_ml: 12.5,
        mesh_volume_ml: 12.25,
        surface_mm2: 3000,
        centroid: [-10.5, 20.25, 300],
        in_plane: { longest: line(70), perpendicular: line(40) },
        longest: line(90),
        values: {
          mean: 1,
          standard_deviation: 2,
          minimum: -3,
          maximum: 4,
          percentiles: { 5: -2.5, 25: -1, 50: 0.5, 75: 2, 95: 3.5 },
        },
      },
    },
    { number: 2, revision: 0, measurements: null },
  ],
};
const VERSION = {
  sop_instance_uid: '1.9',
  series_instance_uid: '1.8',
  version: 2,
  newest: true,
  predecessors: ['1.7'],
  creator: 'Lovelace^Ada',
  created_at: '2026-11-20T10:00:00+00:00',
  description: 'Second',
  made_by: 'Delineate',
  segments: [{ number: 1, label: 'Kidney', tracking_uid: null }],
};
const exported = (state: string, done: number, reason: string | null = null) => ({
  id: 'e1',
  state,
  done,
  total: 2,
  reason,
  formats: [
    { name: 'stl', state: reason === null ? 'done' : 'failed', files: [], reason },
    { name: 'csv', state: 'done', files: [], reason: null },
  ],
});

let store: Store;
let answers: Map<string, () => Response>;
let sent: { method: string; path: string; body: unknown }[];
let reports: Reports;
let connection: Connection;

beforeEach(async () => {
  store = new Store(initialState(DEFAULT_SETTINGS));
  answers = new Map([['GET /models', () => Response.json([])]]);
  sent = [];
  connection = new Connection(store, {
    serviceUrl: () => '',
    authorization: () => ({}),
    fetch: (to, init) => {
      const path = (to as string).replace('/delineate', '');
      const method = init?.method ?? 'GET';
      sent.push({ method, path, body: init?.body === undefined ? null : JSON.parse(init.body as string) });
      const found = answers.get(`${method} ${path}`);
      return found === undefined ? Promise.reject(new TypeError(`nothing at ${path}`)) : Promise.resolve(found());
    },
    onOnline: () => undefined,
  });
  await connection.connect();
  const host = new FakeHost(SERIES);
  const context: Context = { host, store, connection, outbox: new Outbox(null) };
  reports = new Reports(context, () => ({ id: ID }) as OpenSession);
});

afterEach(() => {
  reports.close();
  connection.close();
});

describe('measuring', () => {
  it('tells numbers by segment, in units as they are read', async () => {
    answers.set(`GET /sessions/${encodeURIComponent(ID)}/measurements`, () => Response.json(MEASURED));
    await reports.measure();
    const { measured, sessionId } = store.state.reports!;
    expect([sessionId, measured!.unit, measured!.note, measured!.pending]).toEqual([ID, 'HU', 'A note.', false]);
    expect(measured!.segments[1]).toEqual({
      revision: 4,
      volumeMl: 12.5,
      meshVolumeMl: 12.25,
      longestMm: 70,
      perpendicularMm: 40,
      longestInSpaceMm: 90,
      surfaceMm2: 3000,
      centroid: [-10.5, 20.25, 300],
      mean: 1,
      standardDeviation: 2,
      percentiles: { 5: -2.5, 25: -1, 50: 0.5, 75: 2, 95: 3.5 },
      minimum: -3,
      maximum: 4,
    });
    expect(measured!.segments[2]).toBeNull();
  });

  it('says what went wrong, and keeps what was known', async () => {
    const path = `GET /sessions/${encodeURIComponent(ID)}/measurements`;
    answers.set(path, () => Response.json(MEASURED));
    await reports.measure();
    answers.set(path, () => problemReply(409, 'series-changed'));
    await reports.measure();
    const { measured } = store.state.reports!;
    expect(measured!.problem?.type).toBe('series-changed');
    expect(measured!.segments[1]?.volumeMl).toBe(12.5);
  });
});

describe('versions', () => {
  it('of the series of the session are listed, the newest first', async () => {
    store.update({ series: SERIES });
    store.update({ session: { ...blank(), series: SERIES } });
    const path = `GET /series/${SERIES.seriesInstanceUid}/segmentations?study_instance_uid=${SERIES.studyInstanceUid}`;
    answers.set(path, () => Response.json([{ ...VERSION, sop_instance_uid: '1.7', version: 1 }, VERSION]));
    await reports.listVersions();
    const { versions } = store.state;
    expect(versions!.list.map(v => [v.sopInstanceUid, v.version])).toEqual([
      ['1.9', 2],
      ['1.7', 1],
    ]);
    expect(versions!.list[0]).toMatchObject({ creator: 'Lovelace^Ada', segments: ['Kidney'] });
  });

  it('that an accept ran into are read from the problem', async () => {
    const members = { versions: [{ sop_instance_uid: '1.9', creator: 'Hopper^Grace', created_at: null }] };
    answers.set(`POST /sessions/${encodeURIComponent(ID)}/accept`, () => problemReply(409, 'newer-versions', {}, members));
    const error: unknown = await connection.call(client => client.accept(ID, 'key')).catch((e: unknown) => e);
    expect(newerVersions(error)).toMatchObject([{ sopInstanceUid: '1.9', creator: 'Hopper^Grace', createdAt: null }]);
    expect(newerVersions(new Error('another'))).toEqual([]);
    answers.set(`POST /sessions/${encodeURIComponent(ID)}/accept`, () => Response.json({}));
    await connection.call(client => client.accept(ID, 'key', ['1.9']));
    expect(sent.at(-1)!.body).toEqual({ known_versions: ['1.9'] });
  });
});

describe('exporting', () => {
  const saved: string[] = [];

  beforeEach(() => {
    saved.length = 0;
    vi.spyOn(connection.pause, 'wait').mockResolvedValue(undefined);
    URL.createObjectURL = () => 'blob:it';
    URL.revokeObjectURL = () => undefined;
    vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
      saved.push(this.download);
    });
    answers.set(`POST /sessions/${encodeURIComponent(ID)}/exports`, () => Response.json(exported('waiting', 0)));
  });

  afterEach(() => vi.restoreAllMocks());

  it('follows the export and saves its file', async () => {
    const states = [exported('running', 1), exported('done', 2)];
    const progress: unknown[] = [];
    store.subscribe(() => progress.push(store.state.reports?.exporting?.done));
    answers.set('GET /exports/e1', () => Response.json(states.shift()));
    answers.set('GET /exports/e1/file', () => new Response('zip'));
    await reports.export(['stl', 'csv']);
    expect(store.state.reports!.exporting).toMatchObject({ state: 'done', done: 2, total: 2, refused: [] });
    expect(progress).toContain(1);
    expect(saved).toEqual(['delineate-export.zip']);
    expect(sent.find(one => one.method === 'POST')!.body).toEqual({ formats: ['stl', 'csv'] });
  });

  it('names the formats that could not be written', async () => {
    answers.set('GET /exports/e1', () => Response.json(exported('done', 2, 'They overlap.')));
    answers.set('GET /exports/e1/file', () => new Response('zip'));
    await reports.export(['stl', 'csv']);
    expect(store.state.reports!.exporting!.refused).toEqual([{ format: 'stl', reason: 'They overlap.' }]);
  });

  it('saves nothing if nothing could be written', async () => {
    answers.set('GET /exports/e1', () => Response.json(exported('failed', 2, 'They overlap.')));
    await reports.export(['stl', 'csv']);
    expect(store.state.reports!.exporting!.state).toBe('failed');
    expect(saved).toEqual([]);
  });
});

it('what belongs to another session is forgotten', () => {
  updateReports(store, 'one', { newer: VERSIONS });
  updateReports(store, 'two', {});
  expect(store.state.reports).toEqual({ sessionId: 'two', measured: null, exporting: null, newer: [] });
});

function blank() {
  return {
    id: ID,
    state: 'ready' as const,
    activeSegment: null,
    segments: [],
    result: null,
    problem: null,
    openedFrom: null,
  };
}
