/** What happens in a session, as server-sent events: over fetch, since an EventSource cannot send an Authorization. */

import { createParser } from 'eventsource-parser';

import { Backoff, type Pause, isAborted } from './backoff';
import { textOf } from './lines';
import { ProblemError } from './problem';
import type { Transport } from './transport';
import type { SessionEvents } from './wire';

export type EventHandlers = { readonly [Name in keyof SessionEvents]: (data: SessionEvents[Name]) => void };

export interface Listening {
  readonly handlers: EventHandlers;
  /** The connection broke, or could not be made; it is tried again. */
  readonly onLost: (error: unknown) => void;
  /** The session is not there any more; nothing is tried again. */
  readonly onGone: (problem: ProblemError) => void;
  readonly signal: AbortSignal;
  /** Cut short to connect again at once. */
  readonly pause: Pause;
}

/** Keep-alive comments come much more often. */
const SILENCE_MS = 60_000;
const GONE = [401, 403, 404, 410];

/** Listen until the signal; connects again with growing pauses. */
export async function listen(transport: Transport, path: string, listening: Listening): Promise<void> {
  const { signal, pause } = listening;
  const backoff = new Backoff();
  while (!isAborted(signal)) {
    try {
      await readOnce(transport, path, listening, () => backoff.reset());
    } catch (error) {
      if (isAborted(signal)) return;
      if (error instanceof ProblemError && GONE.includes(error.document.status)) {
        listening.onGone(error);
        return;
      }
      listening.onLost(error);
    }
    await pause.wait(backoff.step(), signal);
  }
}

async function readOnce(transport: Transport, path: string, listening: Listening, onData: () => void): Promise<void> {
  const silence = new AbortController();
  const stop = () => silence.abort();
  listening.signal.addEventListener('abort', stop);
  const accept = 'text/event-stream';
  let timer = setTimeout(stop, SILENCE_MS);
  const parser = createParser({ onEvent: ({ event, data }) => handle(listening.handlers, event, data) });
  try {
    const response = await transport.send('GET', path, { accept, signal: silence.signal });
    for await (const text of textOf(response)) {
      clearTimeout(timer);
      timer = setTimeout(stop, SILENCE_MS);
      onData();
      parser.feed(text);
    }
  } finally {
    clearTimeout(timer);
    stop();
    listening.signal.removeEventListener('abort', stop);
  }
}

function handle(handlers: EventHandlers, name: string | undefined, data: string): void {
  if (name === undefined || !(name in handlers)) return;
  const handler = handlers[name as keyof EventHandlers] as (data: unknown) => void;
  handler(JSON.parse(data));
}
