import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Pause } from '../../src/api/backoff';
import { type EventHandlers, listen } from '../../src/api/events';
import { Transport } from '../../src/api/transport';
import { problemReply, streamed } from './replies';

let replies: ((signal: AbortSignal) => Response)[];
let requests: RequestInit[];
let heard: [string, unknown][];
let lost: unknown[];
let gone: unknown[];
let end: AbortController;

const NAMES = ['session', 'progress', 'queue', 'patch', 'segment', 'segment-deleted', 'result'] as const;

beforeEach(() => {
  vi.useFakeTimers();
  [replies, requests, heard, lost, gone, end] = [[], [], [], [], [], new AbortController()];
});

afterEach(() => {
  end.abort();
  vi.useRealTimers();
});

function start(): Promise<void> {
  const fetched: typeof fetch = (_, init) => {
    requests.push(init ?? {});
    const reply = replies.shift();
    if (reply === undefined) return Promise.reject(new TypeError('refused'));
    return Promise.resolve(reply(init?.signal ?? end.signal));
  };
  const transport = new Transport({ root: '', authorization: () => ({ Authorization: 'Bearer t' }), fetch: fetched });
  const entries = NAMES.map(name => [name, (data: unknown) => heard.push([name, data])]);
  const handlers = Object.fromEntries(entries) as EventHandlers;
  return listen(transport, '/sessions/s/events', {
    handlers,
    onLost: error => lost.push(error),
    onGone: problem => gone.push(problem),
    signal: end.signal,
    pause: new Pause(),
  });
}

describe('events', () => {
  it('are told by their names, put together from any pieces, with the user’s token', async () => {
    replies.push(() => streamed(['event: patch\nda', 'ta: {"revision":1}\n', '\n: ping\n\nevent: other\ndata: {}\n\n']));
    replies.push(() => streamed(['event: segment-deleted\ndata: {"number":2}\n\n']));
    void start();
    await vi.advanceTimersByTimeAsync(3000);
    expect(heard).toEqual([
      ['patch', { revision: 1 }],
      ['segment-deleted', { number: 2 }],
    ]);
    expect(requests[0]!.headers).toMatchObject({ Authorization: 'Bearer t', Accept: 'text/event-stream' });
  });

  it('are asked for again with growing pauses while nobody answers', async () => {
    void start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lost.length).toBeGreaterThan(4);
    expect(lost.length).toBeLessThan(12);
    replies.push(() => streamed(['event: session\ndata: {"id":"s"}\n\n']));
    await vi.advanceTimersByTimeAsync(20_000);
    expect(heard).toEqual([['session', { id: 's' }]]);
  });

  it('that fall silent are asked for again', async () => {
    const silent = (signal: AbortSignal) => ({
      start: (stream: ReadableStreamDefaultController) =>
        signal.addEventListener('abort', () => stream.error(signal.reason)),
    });
    replies.push(signal => new Response(new ReadableStream(silent(signal))));
    void start();
    await vi.advanceTimersByTimeAsync(59_000);
    expect(requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(5000);
    expect(requests.length).toBeGreaterThan(1);
  });

  it('end where the session is not there any more', async () => {
    replies.push(() => problemReply(410, 'session-closed'));
    await start();
    expect(gone).toMatchObject([{ type: 'session-closed' }]);
    expect(lost).toEqual([]);
  });

  it('end when nobody listens any more', async () => {
    const ended = start();
    await vi.advanceTimersByTimeAsync(100);
    end.abort();
    await ended;
    const { length } = requests;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(requests).toHaveLength(length);
  });
});
