/** Whether the service can be reached; when it cannot, it is tried again with growing pauses. */

import { Backoff, Pause, isAborted } from '../api/backoff';
import { Client } from '../api/client';
import { ProblemError, UnreachableError } from '../api/problem';
import { Transport } from '../api/transport';
import type { ModelReply } from '../api/wire';
import { PROMPT_KINDS, type ModelState, type PromptKind } from '../types';
import { problemOf } from './problems';
import type { Store } from './store';

export interface ConnectionOptions {
  readonly serviceUrl: () => string;
  readonly authorization: () => Readonly<Record<string, string>>;
  readonly fetch: typeof fetch;
  /** The service is there, for the first time or again. */
  readonly onOnline: () => void;
}

export class Connection {
  client: Client;
  /** Of everything that waits for the service to be back. */
  readonly pause = new Pause();
  private probing: AbortController | null = null;
  private waiting: (() => void)[] = [];
  private closed = false;

  constructor(
    private readonly store: Store,
    private readonly options: ConnectionOptions
  ) {
    this.client = this.newClient();
  }

  /** Connect, or connect anew: to another address, with other credentials, or without waiting any longer. */
  async connect(): Promise<void> {
    this.client = this.newClient();
    this.store.update({ connection: 'connecting', connectionProblem: null });
    this.probing?.abort();
    await this.probe();
  }

  get isOnline(): boolean {
    return this.store.state.connection === 'online';
  }

  /** Resolves when the service can be reached, and when the connection is closed for good. */
  online(): Promise<void> {
    if (this.isOnline || this.closed) return Promise.resolve();
    return new Promise(resolve => this.waiting.push(resolve));
  }

  /** Do a request, and notice whether there is a service. */
  async call<T>(request: (client: Client) => Promise<T>): Promise<T> {
    try {
      return await request(this.client);
    } catch (error) {
      this.notice(error);
      throw error;
    }
  }

  /** Do a request, again and again until there is an answer. */
  async insist<T>(request: (client: Client) => Promise<T>): Promise<T> {
    for (;;) {
      await this.online();
      try {
        return await this.call(request);
      } catch (error) {
        if (this.closed || !(error instanceof UnreachableError)) throw error;
      }
    }
  }

  /** Note what a failure says about the connection. */
  notice(error: unknown): void {
    const lost = error instanceof UnreachableError || (error instanceof ProblemError && error.isSignIn);
    if (!lost || this.closed) return;
    const since = this.store.state.connectionProblem ?? problemOf(error);
    this.store.update({ connection: 'offline', connectionProblem: since });
    if (this.probing === null) void this.probe(true);
  }

  close(): void {
    this.closed = true;
    this.probing?.abort();
    this.release();
  }

  private newClient(): Client {
    const { serviceUrl, authorization, fetch } = this.options;
    return new Client(new Transport({ root: serviceUrl(), authorization, fetch }));
  }

  /** Ask for the models until the service answers; the first time after a pause if it was just not there. */
  private async probe(pauseFirst = false): Promise<void> {
    const probing = new AbortController();
    this.probing = probing;
    const backoff = new Backoff();
    if (pauseFirst) await this.pause.wait(backoff.step(), probing.signal);
    while (!isAborted(probing.signal)) {
      try {
        const models = await this.client.models(probing.signal);
        if (isAborted(probing.signal)) return;
        this.probing = null;
        this.arrived(models);
        return;
      } catch (error) {
        if (isAborted(probing.signal)) return;
        this.store.update({ connection: 'offline', connectionProblem: problemOf(error) });
      }
      await this.pause.wait(backoff.step(), probing.signal);
    }
  }

  private arrived(models: readonly ModelReply[]): void {
    const [model] = models;
    this.store.update({
      connection: 'online',
      connectionProblem: null,
      model: model === undefined ? null : modelState(model),
    });
    this.release();
    this.pause.wake();
    this.options.onOnline();
  }

  private release(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

export function modelState(model: ModelReply): ModelState {
  return {
    id: model.id,
    name: model.name,
    demo: model.demo,
    licence: model.licence,
    prompts: kindsIn(model.prompts),
    obliquePrompts: kindsIn(model.oblique_prompts),
  };
}

function kindsIn(names: readonly string[]): PromptKind[] {
  return PROMPT_KINDS.filter(kind => names.includes(kind));
}
