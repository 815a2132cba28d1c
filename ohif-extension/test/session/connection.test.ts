import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { ProblemError, UnreachableError } from '../../src/api/problem';
import { Connection } from '../../src/session/connection';
import { DEFAULT_SETTINGS } from '../../src/session/settings';
import { Store, initialState } from '../../src/session/store';
import { problemReply } from '../api/replies';

const MODEL = {
  id: 'demo',
  name: 'Demo model',
  demo: true,
  licence: 'Apache-2.0',
  version: '1',
  weights_sha256: '',
  prompts: ['point', 'lasso', 'something new'],
  oblique_prompts: ['point'],
  scribble_thickness_voxels: 2,
};

let store: Store;
let answer: () => Response;
let asked: string[];
let arrivals: number;
let url: string;
let connection: Connection;

beforeEach(() => {
  vi.useFakeTimers();
  store = new Store(initialState(DEFAULT_SETTINGS));
  [answer, asked, arrivals, url] = [() => Response.json([MODEL]), [], 0, ''];
  const fetched: typeof fetch = to => {
    asked.push(to instanceof Request ? to.url : String(to));
    return new Promise(resolve => resolve(answer()));
  };
  connection = new Connection(store, {
    serviceUrl: () => url,
    authorization: () => ({}),
    fetch: fetched,
    onOnline: () => arrivals++,
  });
});

afterEach(() => {
  connection.close();
  vi.useRealTimers();
});

function refuse(): Response {
  throw new TypeError('refused');
}

describe('connecting', () => {
  it('tells which model there is, and only the kinds of prompt that the viewer has', async () => {
    await connection.connect();
    expect(store.state).toMatchObject({ connection: 'online', connectionProblem: null });
    expect(store.state.model).toEqual({
      id: 'demo',
      name: 'Demo model',
      demo: true,
      licence: 'Apache-2.0',
      prompts: ['point', 'lasso'],
      obliquePrompts: ['point'],
    });
    expect(arrivals).toBe(1);
  });

  it('goes on until there is a service', async () => {
    answer = refuse;
    const connected = connection.connect();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(store.state).toMatchObject({ connection: 'offline', connectionProblem: { type: 'offline' } });
    const before = asked.length;
    expect(before).toBeGreaterThan(3);
    expect(before).toBeLessThan(12);
    answer = () => Response.json([MODEL]);
    await vi.advanceTimersByTimeAsync(20_000);
    await connected;
    expect(store.state.connection).toBe('online');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(before + 1);
  });

  it('asks to sign in where the service wants to know who it is', async () => {
    answer = () => problemReply(401, 'not-authenticated');
    void connection.connect();
    await vi.advanceTimersByTimeAsync(100);
    expect(store.state.connectionProblem).toMatchObject({ type: 'not-authenticated', title: 'Sign in again' });
  });

  it('says when the address is that of something else', async () => {
    answer = () => new Response('<html>', { status: 404 });
    void connection.connect();
    await vi.advanceTimersByTimeAsync(100);
    expect(store.state.connectionProblem).toMatchObject({ type: 'unexpected-reply' });
  });

  it('goes to another address at once', async () => {
    answer = refuse;
    void connection.connect();
    await vi.advanceTimersByTimeAsync(100);
    url = 'http://other';
    answer = () => Response.json([MODEL]);
    await connection.connect();
    expect(asked.at(-1)).toBe('http://other/delineate/models');
    expect(store.state.connection).toBe('online');
  });
});

describe('a lost connection', () => {
  it('is noticed by any request, and made again', async () => {
    await connection.connect();
    answer = refuse;
    await expect(connection.call(client => client.session('s'))).rejects.toBeInstanceOf(UnreachableError);
    expect(store.state.connection).toBe('offline');
    let waited = false;
    void connection.online().then(() => (waited = true));
    await vi.advanceTimersByTimeAsync(0);
    expect(waited).toBe(false);
    answer = () => Response.json([MODEL]);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(waited).toBe(true);
    expect(arrivals).toBe(2);
  });

  it('is none when the service says no', async () => {
    await connection.connect();
    answer = () => problemReply(422, 'prompt-malformed');
    await expect(connection.call(client => client.session('s'))).rejects.toBeInstanceOf(ProblemError);
    expect(store.state.connection).toBe('online');
  });

  it('is waited out by what insists', async () => {
    await connection.connect();
    answer = refuse;
    const insisting = connection.insist(client => client.session('s'));
    await vi.advanceTimersByTimeAsync(10_000);
    answer = () => Response.json([MODEL]);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await insisting).toEqual([MODEL]);
  });

  it('keeps nobody waiting when the viewer leaves', async () => {
    answer = refuse;
    void connection.connect();
    await vi.advanceTimersByTimeAsync(100);
    const waiting = connection.online();
    connection.close();
    await waiting;
    const { length } = asked;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(length);
  });
});
