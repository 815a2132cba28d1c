/** Waiting between tries: longer each time, and never in step with other windows. */

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

export class Backoff {
  private next = FIRST_MS;

  /** Milliseconds to wait before the next try. */
  step(): number {
    const wait = this.next;
    this.next = Math.min(this.next * 2, LONGEST_MS);
    return wait * (0.75 + Math.random() / 2);
  }

  reset(): void {
    this.next = FIRST_MS;
  }
}

/** Asked again after a pause; the compiler takes a property that it has seen for unchanged. */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** A pause that can be cut short: by `wake`, or by the signal (then it resolves, too). */
export class Pause {
  private readonly waiting = new Set<() => void>();

  wait(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        clearTimeout(timer);
        this.waiting.delete(done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.waiting.add(done);
      signal?.addEventListener('abort', done);
      if (signal?.aborted === true) done();
    });
  }

  wake(): void {
    for (const done of [...this.waiting]) done();
  }
}
