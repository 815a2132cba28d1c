import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Pause } from '../../src/api/backoff';
import { ProblemError, UnreachableError } from '../../src/api/problem';
import type { PatchReply } from '../../src/api/wire';
import { Lane } from '../../src/session/lane';
import { type Entry, Outbox, type PromptEntry } from '../../src/session/outbox';
import { FakeStorage } from '../fakes/storage';

const PATCH = { prompt_ids: [] } as unknown as PatchReply;

/** A service that takes and answers entries when the test says so. */
class Service {
  readonly log: string[] = [];
  online = true;
  private readonly waiting: (() => void)[] = [];
  private readonly pending = new Map<string, Request>();

  readonly lane: Lane;
  unsent = 0;

  constructor(storage: Storage | null) {
    this.lane = new Lane(
      {
        online: () => (this.online ? Promise.resolve() : new Promise(resolve => this.waiting.push(resolve))),
        send: (entry, onTaken, signal) => this.send(entry, onTaken, signal),
        ready: entry => {
          this.log.push(`ready ${entry.id}`);
          return entry;
        },
        onTaken: entry => this.log.push(`taken ${entry.id}`),
        onDone: entry => this.log.push(`done ${entry.id}`),
        onRefused: (entry, error) => this.log.push(`refused ${entry.id}: ${(error as ProblemError).type}`),
        onDelayed: entry => this.log.push(`delayed ${entry.id}`),
        onCount: unsent => (this.unsent = unsent),
      },
      new Outbox(storage),
      new Pause()
    );
  }

  of(id: string): Request {
    const request = this.pending.get(id);
    if (request === undefined) throw new Error(`${id} was not sent`);
    return request;
  }

  get sent(): string[] {
    return this.log.filter(line => line.startsWith('send')).map(line => line.slice(5));
  }

  back(): void {
    this.online = true;
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  private send(entry: Entry, onTaken: () => void, signal: AbortSignal): Promise<PatchReply> {
    this.log.push(`send ${entry.id}`);
    return new Promise((resolve, reject) => {
      this.pending.set(entry.id, { take: onTaken, answer: () => resolve(PATCH), fail: reject });
      signal.addEventListener('abort', () => reject(new DOMException('let go', 'AbortError')));
    });
  }
}

interface Request {
  readonly take: () => void;
  readonly answer: () => void;
  readonly fail: (error: unknown) => void;
}

function entry(id: string, kind: 'point' | 'labelmap' = 'point', segment = 1): PromptEntry {
  const body = { id, kind, include: true, frame_of_reference_uid: '1.2', run: true } as const;
  return { id, sessionId: 's', segment, verb: 'prompt', body, madeAt: Date.now() };
}

function step(id: string): Entry {
  return { id, sessionId: 's', segment: 1, verb: 'undo', madeAt: Date.now() };
}

function problem(status: number, type: string, retryAfterMs: number | null = null): ProblemError {
  return new ProblemError({ type: `urn:delineate:problem:${type}`, title: 'No.', status, detail: 'No.' }, retryAfterMs);
}

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

let storage: FakeStorage;
let service: Service;

beforeEach(() => {
  vi.useFakeTimers();
  storage = new FakeStorage();
  service = new Service(storage);
});

afterEach(() => {
  service.lane.close();
  vi.useRealTimers();
});

describe('order', () => {
  it('is kept: the next is sent when the one before is taken, not when it is done', async () => {
    for (const id of ['a', 'b', 'c']) service.lane.push(entry(id));
    await settle();
    expect(service.sent).toEqual(['a']);
    service.of('a').take();
    await settle();
    expect(service.sent).toEqual(['a', 'b']);
    service.of('b').take();
    await settle();
    expect(service.sent).toEqual(['a', 'b', 'c']);
    expect(service.unsent).toBe(1);
    service.of('c').take();
    expect(service.unsent).toBe(0);
  });

  it('makes an edit wait until what was sent for its segment is painted', async () => {
    service.lane.push(entry('a'));
    service.lane.push(entry('edit', 'labelmap'));
    service.lane.push(entry('c'));
    await settle();
    service.of('a').take();
    await settle();
    expect(service.sent).toEqual(['a']);
    service.of('a').answer();
    await settle();
    expect(service.sent).toEqual(['a', 'edit']);
    expect(service.log.indexOf('done a')).toBeLessThan(service.log.indexOf('ready edit'));
  });

  it('does not make an edit of one segment wait for another segment', async () => {
    service.lane.push(entry('a', 'point', 2));
    service.lane.push(entry('edit', 'labelmap', 1));
    await settle();
    service.of('a').take();
    await settle();
    expect(service.sent).toEqual(['a', 'edit']);
  });
});

describe('replies', () => {
  it('are waited for two at a time; the others are asked for again when their turn comes', async () => {
    for (const id of ['a', 'b', 'c', 'd']) service.lane.push(entry(id));
    for (const id of ['a', 'b', 'c', 'd']) {
      await settle();
      service.of(id).take();
    }
    await settle();
    expect(service.sent).toEqual(['a', 'b', 'c', 'd']);
    service.of('a').answer();
    await settle();
    expect(service.sent).toEqual(['a', 'b', 'c', 'd', 'c']);
    service.of('c').take();
    service.of('c').answer();
    await settle();
    expect(service.sent).toEqual(['a', 'b', 'c', 'd', 'c', 'd']);
    service.of('d').take();
    service.of('d').answer();
    service.of('b').answer();
    await service.lane.idle();
    expect(service.log.filter(line => line.startsWith('done')).sort()).toEqual(['done a', 'done b', 'done c', 'done d']);
    expect(service.log.filter(line => line.startsWith('taken'))).toHaveLength(4);
  });

  it('that break off after the prompt was taken are asked for again, out of the way of the next', async () => {
    service.lane.push(entry('a'));
    service.lane.push(entry('b'));
    await settle();
    service.of('a').take();
    service.of('a').fail(new UnreachableError('cut'));
    await settle();
    expect(service.sent.filter(id => id === 'a')).toHaveLength(2);
    expect(service.sent).toContain('b');
    expect(service.unsent).toBe(1);
  });
});

describe('failures', () => {
  it('of the connection keep everything, and send it in order when the service is back', async () => {
    service.lane.push(entry('a'));
    service.lane.push(entry('b'));
    await settle();
    service.online = false;
    service.of('a').fail(new UnreachableError('cut'));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(service.sent).toEqual(['a']);
    expect(service.unsent).toBe(2);
    expect(new Outbox(storage).of('s').map(e => e.id)).toEqual(['a', 'b']);
    service.back();
    await settle();
    expect(service.sent).toEqual(['a', 'a']);
    service.of('a').take();
    await settle();
    service.of('b').take();
    expect(new Outbox(storage).of('s')).toEqual([]);
  });

  it('that pass are waited out as long as the service says', async () => {
    service.lane.push(entry('a'));
    await settle();
    service.of('a').fail(problem(503, 'segmenter-busy', 5000));
    await vi.advanceTimersByTimeAsync(4900);
    expect(service.sent).toEqual(['a']);
    await vi.advanceTimersByTimeAsync(200);
    expect(service.sent).toEqual(['a', 'a']);
    expect(service.log).toContain('delayed a');
  });

  it.each([
    [422, 'prompt-outside-volume'],
    [409, 'segment-locked'],
    [502, 'prediction-failed'],
    [500, 'internal-fault'],
  ])('that do not pass (%i %s) end the prompt, and the next is sent', async (status, type) => {
    service.lane.push(entry('a'));
    service.lane.push(entry('b'));
    await settle();
    service.of('a').fail(problem(status, type));
    await settle();
    expect(service.log).toContain(`refused a: ${type}`);
    expect(service.log).not.toContain('taken a');
    expect(service.sent).toEqual(['a', 'b']);
    expect(new Outbox(storage).of('s').map(e => e.id)).toEqual(['b']);
  });
});

describe('what was not sent', () => {
  it('can be taken back, the last first', async () => {
    service.online = false;
    for (const id of ['a', 'b']) service.lane.push(entry(id));
    await settle();
    expect(service.lane.takeBack(1)?.id).toBe('b');
    expect(service.lane.takeBack(2)).toBeNull();
    expect(service.lane.takeBack(1)?.id).toBe('a');
    expect(service.lane.takeBack(1)).toBeNull();
    service.back();
    await settle();
    expect(service.sent).toEqual([]);
    expect(storage.length).toBe(0);
  });

  it('cannot be taken back once it may have arrived, nor past a step', async () => {
    service.lane.push(entry('a'));
    await settle();
    service.online = false;
    service.of('a').fail(new UnreachableError('cut'));
    await settle();
    expect(service.lane.takeBack(1)).toBeNull();
    service.lane.push(entry('b'));
    service.lane.push(step('undo'));
    expect(service.lane.takeBack(1)).toBeNull();
  });

  it('goes on after a reload, under the same ids, in order', async () => {
    service.online = false;
    service.lane.push(entry('a'));
    service.lane.push(step('undo'));
    service.lane.push(entry('b'));
    await settle();
    service.lane.close();
    expect(storage.length).toBe(3);

    const reloaded = new Service(storage);
    reloaded.lane.restore(new Outbox(storage).of('s'));
    await settle();
    expect(reloaded.sent).toEqual(['a']);
    reloaded.of('a').take();
    await settle();
    reloaded.of('undo').answer();
    await settle();
    expect(reloaded.sent).toEqual(['a', 'undo', 'b']);
    reloaded.lane.close();
  });

  it('is kept in memory when the browser has no room', async () => {
    storage.full = true;
    service.lane.push(entry('a'));
    await settle();
    expect(service.sent).toEqual(['a']);
  });
});
