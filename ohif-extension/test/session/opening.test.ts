import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createController } from '../../src/session';
import type { Controller, Series, StoredSegmentation } from '../../src/types';
import { problemReply } from '../api/replies';
import { FakeHost } from '../fakes/host';
import { SERIES, VERSIONS } from '../panel-harness/states';

const [VERSION] = VERSIONS;
const STORED: StoredSegmentation = {
  seriesInstanceUid: '1.9',
  sopInstanceUid: '1.9.1',
  displaySetInstanceUid: 'd9',
  description: '',
  referencedSeriesInstanceUid: SERIES.seriesInstanceUid,
};
const OTHER: Series = { ...SERIES, seriesInstanceUid: '1.2.3.5', displaySetInstanceUid: 'display-set-2' };
const VOLUMES = [
  { id: 'b0', label: 'b-value 0', instances: 32 },
  { id: 'b500', label: 'b-value 500', instances: 32 },
];

let host: FakeHost;
let controller: Controller;
/** The bodies of the sessions that were asked for. */
let asked: unknown[];

beforeEach(() => {
  host = new FakeHost(SERIES);
  asked = [];
  controller = createController(host, { fetch: answer, storage: null });
});

afterEach(() => controller.dispose());

/** A service that asks back which volume, and opens none. */
const answer: typeof fetch = (to, init) => {
  const path = (to as string).replace('/delineate', '');
  if (path === '/models') return Promise.resolve(Response.json([]));
  if (init?.method !== 'POST') return Promise.resolve(problemReply(404, 'preload-not-found'));
  const body = JSON.parse(init.body as string) as { volume?: string };
  asked.push(body);
  const known = body.volume !== undefined;
  return Promise.resolve(
    known ? problemReply(404, 'series-not-found') : problemReply(422, 'volume-choice-required', {}, { volumes: VOLUMES })
  );
};

const choices = () => controller.getState().volumeChoices.map(choice => choice.key);
const of = (series: Series) => ({
  study_instance_uid: series.studyInstanceUid,
  series_instance_uid: series.seriesInstanceUid,
});

describe('the choice of a volume', () => {
  it.each([
    ['the series', () => controller.actions.start(), {}],
    [
      'a stored version',
      () => controller.actions.openVersion(VERSION!),
      { segmentation_sop_instance_uid: VERSION!.sopInstanceUid },
    ],
    [
      'a stored segmentation',
      () => controller.actions.openStored(STORED),
      { segmentation_sop_instance_uid: STORED.sopInstanceUid },
    ],
  ])('goes on with %s', async (_name, open, more) => {
    await open();
    expect(choices()).toEqual(['b0', 'b500']);
    expect(controller.getState().session).toBeNull();
    await controller.actions.startVolume('b500');
    expect(asked).toEqual([
      { ...of(SERIES), ...more },
      { ...of(SERIES), ...more, volume: 'b500' },
    ]);
    expect(choices()).toEqual([]);
  });

  it('is of one opening: the next begins anew', async () => {
    await controller.actions.openVersion(VERSION!);
    await controller.actions.startVolume('b500');
    await controller.actions.start();
    await controller.actions.startVolume('b0');
    expect(asked.slice(2)).toEqual([of(SERIES), { ...of(SERIES), volume: 'b0' }]);
  });

  it('is void when the person turns to another series', async () => {
    await controller.actions.openVersion(VERSION!);
    host.show(SERIES);
    host.show(null);
    expect(choices()).toEqual(['b0', 'b500']);
    host.show(OTHER);
    expect(choices()).toEqual([]);
    await controller.actions.startVolume('b0');
    expect(asked.at(-1)).toEqual({ ...of(OTHER), volume: 'b0' });
  });
});
