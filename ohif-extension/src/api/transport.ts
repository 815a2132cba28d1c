/** Requests below `/delineate` of one service. */

import { UnreachableError, failureOf } from './problem';

/** Longest wait for the head of a reply: a session's volume may have to be fetched again before a prompt is taken. */
const HEAD_TIMEOUT_MS = 120_000;

export interface TransportOptions {
  /** Root of the service or of the gateway, without `/delineate`; empty for the page's own origin. */
  readonly root: string;
  /** Headers of the user's authentication, asked for anew for every request. */
  readonly authorization: () => Readonly<Record<string, string>>;
  readonly fetch: typeof fetch;
}

export interface RequestOptions {
  readonly body?: unknown;
  /** Sent as Idempotency-Key. */
  readonly key?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
  /** The reply may take as long as it likes: it comes when a volume is there, or a model has run. */
  readonly patient?: boolean;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export class Transport {
  constructor(private readonly options: TransportOptions) {}

  /** Send a request; resolves with the head of a success, throws ProblemError or UnreachableError otherwise. */
  async send(method: Method, path: string, options: RequestOptions = {}): Promise<Response> {
    const { body, key, accept = 'application/json', signal, patient = false } = options;
    const headers: Record<string, string> = { ...this.options.authorization(), Accept: accept };
    if (key !== undefined) headers['Idempotency-Key'] = key;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const url = `${this.options.root.replace(/\/+$/, '')}/delineate${path}`;
    const waiting = new AbortController();
    const stop = () => waiting.abort(signal?.reason);
    const giveUp = () => waiting.abort(new UnreachableError('No answer in time.'));
    const timer = patient ? undefined : setTimeout(giveUp, HEAD_TIMEOUT_MS);
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop);
    try {
      const init: RequestInit = { method, headers, signal: waiting.signal, cache: 'no-store' };
      const text = body === undefined ? {} : { body: JSON.stringify(body) };
      const response = await this.options.fetch(url, { ...init, ...text });
      if (!response.ok) throw await failureOf(response);
      return response;
    } catch (error) {
      throw translated(error, signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Send a request and read the reply's JSON. */
  async json<T>(method: Method, path: string, options: RequestOptions = {}): Promise<T> {
    const response = await this.send(method, path, options);
    try {
      return (response.status === 204 ? undefined : await response.json()) as T;
    } catch (error) {
      throw translated(error, options.signal);
    }
  }
}

/** What fetch and body readers throw when the connection breaks, as ours; an abort that was asked for stays one. */
export function translated(error: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted === true) return error;
  if (error instanceof TypeError || error instanceof SyntaxError || error instanceof DOMException) {
    return new UnreachableError('The connection to the service was lost.', { cause: error });
  }
  return error;
}
