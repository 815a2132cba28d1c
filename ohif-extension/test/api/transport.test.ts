import { describe, expect, it, vi } from 'vitest';

import { Client } from '../../src/api/client';
import { linesOf } from '../../src/api/lines';
import { ProblemError, UnreachableError } from '../../src/api/problem';
import { Transport } from '../../src/api/transport';
import type { PromptBody } from '../../src/api/wire';
import { problemReply, streamed } from './replies';

interface Seen {
  readonly url: string;
  readonly init: RequestInit;
}

function transport(reply: () => Response | Promise<Response>, seen: Seen[] = [], root = 'http://h/'): Transport {
  const fetched: typeof fetch = (url, init) => {
    seen.push({ url: url instanceof Request ? url.url : String(url), init: init ?? {} });
    return Promise.resolve(reply());
  };
  let token = 0;
  return new Transport({ root, authorization: () => ({ Authorization: `Bearer ${++token}` }), fetch: fetched });
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error
  );
}

describe('requests', () => {
  it('go below /delineate, with the user’s token of now, the key and the body', async () => {
    const seen: Seen[] = [];
    const to = transport(() => Response.json({ a: 1 }), seen);
    expect(await to.json('POST', '/sessions', { body: { b: 2 }, key: 'k' })).toEqual({ a: 1 });
    await to.json('GET', '/models');
    expect(seen.map(s => s.url)).toEqual(['http://h/delineate/sessions', 'http://h/delineate/models']);
    expect(seen[0]!.init).toMatchObject({
      method: 'POST',
      body: '{"b":2}',
      headers: { Authorization: 'Bearer 1', 'Idempotency-Key': 'k', 'Content-Type': 'application/json' },
    });
    expect(seen[1]!.init.headers).toMatchObject({ Authorization: 'Bearer 2' });
    expect(seen[1]!.init.headers).not.toHaveProperty('Content-Type');
  });

  it('go to the page’s own origin where no root is given', async () => {
    const seen: Seen[] = [];
    await transport(() => new Response(null, { status: 204 }), seen, '').json('DELETE', '/sessions/x');
    expect(seen[0]!.url).toBe('/delineate/sessions/x');
  });

  it('name sessions as one part of the path', async () => {
    const seen: Seen[] = [];
    await new Client(transport(() => Response.json({}), seen)).session('1.2~a/b');
    expect(seen[0]!.url).toBe('http://h/delineate/sessions/1.2~a%2Fb');
  });
});

describe('silence', () => {
  const never = () => (_: unknown, init?: RequestInit) =>
    new Promise<Response>((_resolve, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason as Error));
    });

  it('is given up after two minutes, unless the reply is known to take its time', async () => {
    vi.useFakeTimers();
    const to = new Transport({ root: '', authorization: () => ({}), fetch: never() });
    let outcome: unknown = 'waiting';
    void failure(to.send('GET', '/x', { patient: true })).then(error => (outcome = error));
    const given = failure(to.send('GET', '/x'));
    await vi.advanceTimersByTimeAsync(121_000);
    expect(await given).toBeInstanceOf(UnreachableError);
    expect(outcome).toBe('waiting');
    vi.useRealTimers();
  });
});

describe('failures', () => {
  it('of the service are its problem documents', async () => {
    const reply = () => problemReply(503, 'segmenter-busy', { 'Retry-After': '5' }, { place: 3 });
    const error = await failure(transport(reply).send('GET', '/x'));
    expect(error).toBeInstanceOf(ProblemError);
    expect(error).toMatchObject({ type: 'segmenter-busy', retryAfterMs: 5000, passes: true, document: { place: 3 } });
  });

  it.each([
    [422, 'prompt-malformed', false],
    [409, 'session-loading', true],
    [503, 'archive-unreachable', true],
    [504, 'archive-timeout', true],
    [502, 'store-refused', false],
    [502, 'prediction-failed', false],
    [500, 'internal-fault', false],
  ])('%i %s passes: %s', async (status, type, passes) => {
    expect(await failure(transport(() => problemReply(status, type)).send('GET', '/x'))).toMatchObject({ passes });
  });

  it.each([502, 503, 504])('%i of a gateway means that nobody is there', async status => {
    const error = await failure(transport(() => new Response('<html>', { status })).send('GET', '/x'));
    expect(error).toBeInstanceOf(UnreachableError);
  });

  it('of something else say that it is no service', async () => {
    const error = await failure(transport(() => new Response('<html>', { status: 404 })).send('GET', '/x'));
    expect(error).toMatchObject({ type: 'unexpected-reply' });
    expect(String(error)).toContain('Check the service address');
  });

  it('of the connection mean that nobody is there, also in the middle of a body', async () => {
    const refused = transport(() => Promise.reject(new TypeError('fetch failed')));
    expect(await failure(refused.send('GET', '/x'))).toBeInstanceOf(UnreachableError);
    const cut = transport(() => streamed(['{"a":'], true));
    expect(await failure(cut.json('GET', '/x'))).toBeInstanceOf(UnreachableError);
    const html = transport(() => new Response('<html>'));
    expect(await failure(html.json('GET', '/x'))).toBeInstanceOf(UnreachableError);
  });

  it('are none of ours when the caller let the request go', async () => {
    const abort = new AbortController();
    const waiting = transport(() => new Promise((_, reject) => abort.signal.addEventListener('abort', () => reject(new DOMException('', 'AbortError')))));
    const sent = failure(waiting.send('GET', '/x', { signal: abort.signal }));
    abort.abort();
    expect(await sent).toMatchObject({ name: 'AbortError' });
  });
});

describe('lines', () => {
  async function all(response: Response): Promise<unknown[]> {
    const found: unknown[] = [];
    for await (const line of linesOf(response)) found.push(line);
    return found;
  }

  it('are put together from any pieces, also of letters', async () => {
    const text = '{"a":"é"}\n\n{"b":2}\n{"c":3}';
    const bytes = [...new TextEncoder().encode(text)];
    const body = new ReadableStream<Uint8Array>({
      pull(stream) {
        const byte = bytes.shift();
        if (byte === undefined) stream.close();
        else stream.enqueue(Uint8Array.of(byte));
      },
    });
    expect(await all(new Response(body))).toEqual([{ a: 'é' }, { b: 2 }, { c: 3 }]);
  });

  it('that break off are a lost connection', async () => {
    expect(await failure(all(streamed(['{"a":1}\n{"b"'])))).toBeInstanceOf(UnreachableError);
    expect(await failure(all(streamed(['{"a":1}\n'], true)))).toBeInstanceOf(UnreachableError);
  });
});

describe('a prompt', () => {
  const body: PromptBody = { id: 'p', kind: 'point', include: true, frame_of_reference_uid: '1.2', run: true };
  const signal = new AbortController().signal;

  const previews: unknown[] = [];

  function send(reply: Response, onTaken: () => void = () => undefined): Promise<unknown> {
    const onPreview = (patch: unknown) => previews.push(patch);
    return new Client(transport(() => reply)).prompt('s', 1, body, { onTaken, onPreview, signal });
  }

  it('is taken with the head of the reply, and done with its final line', async () => {
    let taken = 0;
    const lines = ['{"final":false,"revision":1}\n', '{"final":true,"revision":1}\n'];
    expect(await send(streamed(lines), () => taken++)).toMatchObject({ final: true });
    expect(taken).toBe(1);
    expect(previews).toEqual([{ final: false, revision: 1 }]);
  });

  it('that fails late says so in its last line', async () => {
    const document = { type: 'urn:delineate:problem:prompt-cancelled', title: 'T', status: 409, detail: 'D' };
    expect(await failure(send(streamed([`${JSON.stringify(document)}\n`])))).toMatchObject({ type: 'prompt-cancelled' });
  });

  it('that is refused is not taken', async () => {
    let taken = 0;
    expect(await failure(send(problemReply(422, 'prompt-outside-volume'), () => taken++))).toBeInstanceOf(ProblemError);
    expect(taken).toBe(0);
  });

  it('without a final line is a lost connection', async () => {
    expect(await failure(send(streamed(['{"final":false}\n'])))).toBeInstanceOf(UnreachableError);
  });
});
