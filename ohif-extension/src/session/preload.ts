/** Has the series of the active viewport read by the service before it is opened, and tells how far that is. */

import { isAborted } from '../api/backoff';
import { problemIn } from '../api/problem';
import type { PreloadReply } from '../api/wire';
import type { PreloadState, Series } from '../types';
import type { Connection } from './connection';
import { problemOf } from './problems';
import { NO_PRELOAD, type Store } from './store';

/** Between two looks at a series that is being loaded. */
const POLL_MS = 400;

export class Preload {
  private following: AbortController | null = null;
  private seriesUid: string | null = null;

  constructor(
    private readonly store: Store,
    private readonly connection: Connection
  ) {}

  /** The viewer shows another series, or the service is back. */
  follow(series: Series | null, again = false): void {
    if (!again && series?.seriesInstanceUid === this.seriesUid) return;
    this.seriesUid = series?.seriesInstanceUid ?? null;
    this.following?.abort();
    this.store.update({ preload: NO_PRELOAD });
    if (series === null || !this.connection.isOnline) return;
    this.following = new AbortController();
    void this.run(series, this.following.signal);
  }

  close(): void {
    this.following?.abort();
  }

  private async run(series: Series, signal: AbortSignal): Promise<void> {
    const { seriesInstanceUid, studyInstanceUid } = series;
    try {
      await this.connection.call(client => client.preload(seriesInstanceUid, studyInstanceUid));
      while (!isAborted(signal)) {
        const reply = await this.connection.call(client => client.preloadState(seriesInstanceUid));
        if (isAborted(signal)) return;
        this.store.update({ preload: preloadState(reply) });
        if (reply.state === 'ready' || reply.state === 'failed') return;
        await this.connection.pause.wait(POLL_MS, signal);
      }
    } catch (error) {
      if (!isAborted(signal)) this.store.update({ preload: { ...NO_PRELOAD, state: 'failed', problem: problemOf(error) } });
    }
  }
}

function preloadState(reply: PreloadReply): PreloadState {
  const { state, done, total, problem } = reply;
  return { state, done, total, problem: problem && problemOf(problemIn(problem)) };
}
