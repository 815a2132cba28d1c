/**
 * The browser-side session without a browser, driven line by line from a test in Python: one JSON command a line on
 * standard input, one JSON reply a line on standard output.
 */

import { createInterface } from 'node:readline';

import { encodeVoxels } from '../../src/labelmap/bits';
import { createController } from '../../src/session';
import type { Actions, Bounds, Controller, Drawing, PanelState, Series, StoredSegmentation } from '../../src/types';
import { FakeHost } from '../fakes/host';
import { FakeStorage } from '../fakes/storage';
import { Network } from './network';

interface Commands {
  open: { series: Series; url: string; stored?: StoredSegmentation[]; headers?: Record<string, string> };
  leave: object;
  action: { name: keyof Actions; args?: unknown[] };
  draw: { drawing: Drawing };
  brush: { segment: number; box: Bounds; value: 0 | 1 };
  press: { key: 'undo' | 'redo' };
  until: { condition: string; timeout?: number };
  state: object;
  voxels: { segment: number };
  viewer: object;
  measures: object;
  network: { do: 'cut' | 'restore' | 'hold' | 'releaseReversed'; pattern?: string };
}

const UNTIL_MS = 60_000;

const network = new Network();
const storage = new FakeStorage();
let host: FakeHost;
let controller: Controller;

const handlers: { [Name in keyof Commands]: (command: Commands[Name]) => unknown } = {
  /** A page is loaded; the browser's storage is that of the page before. */
  open({ series, url, stored = [], headers = {} }) {
    host = new FakeHost(series, url);
    host.stored = stored;
    host.headers = headers;
    controller = createController(host, { fetch: network.fetch, storage });
  },

  leave: () => controller.dispose(),

  async action({ name, args = [] }) {
    const actions = controller.actions as unknown as Record<string, (...given: unknown[]) => unknown>;
    return (await actions[name]!(...args)) ?? null;
  },

  draw: ({ drawing }) => host.draw({ ...drawing, finishedAt: performance.now() }),

  brush: ({ segment, box, value }) => host.canvas!.brush(segment, box, value),

  press: ({ key }) => host.history[key](),

  until: ({ condition, timeout = UNTIL_MS }) => until(condition, timeout),

  state: () => controller.getState(),

  voxels: ({ segment }) => encodeVoxels(host.canvas!.voxels(segment)),

  viewer: () => ({
    prompts: host.shown.drawings.map(drawing => drawing.id),
    drawings: host.shown.drawings,
    visible: host.shown.visible,
    segments: [...(host.canvas?.segments.values() ?? [])],
    writes: host.canvas?.writes ?? [],
    results: host.shownResults,
    history: host.history.length,
    held: network.heldCount,
    stored: storage.length,
  }),

  measures: () =>
    performance.getEntriesByType('measure').map(entry => ({
      name: entry.name,
      duration: entry.duration,
      detail: (entry as PerformanceMeasure).detail as unknown,
    })),

  network({ do: verb, pattern = '' }) {
    if (verb === 'hold') network.hold(pattern);
    else network[verb]();
  },
};

/** Resolves with the state when a condition (an expression of state `s`, viewer `v`, network `n`) holds. */
function until(condition: string, timeout: number): Promise<PanelState> {
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the test's own words
  const holds = new Function('s', 'v', 'n', `return ${condition}`) as (...given: unknown[]) => boolean;
  return new Promise((resolve, reject) => {
    const look = () => {
      const state = controller.getState();
      if (!holds(state, host, network)) return;
      clearTimeout(timer);
      clearInterval(again);
      unsubscribe();
      resolve(state);
    };
    const unsubscribe = controller.subscribe(look);
    const again = setInterval(look, 20); // the viewer and the network do not tell when they change
    const timer = setTimeout(() => {
      clearInterval(again);
      unsubscribe();
      reject(new Error(`not within ${timeout} ms: ${condition}; ${JSON.stringify(controller.getState())}`));
    }, timeout);
    look();
  });
}

async function answer(line: string): Promise<void> {
  const { command, ...given } = JSON.parse(line) as { command: keyof Commands };
  const handler = handlers[command] as (given: unknown) => unknown;
  try {
    const result = (await handler(given)) ?? null;
    process.stdout.write(`${JSON.stringify({ result })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: String(error) })}\n`);
  }
}

createInterface({ input: process.stdin })
  .on('line', line => void answer(line))
  .on('close', () => process.exit(0));
