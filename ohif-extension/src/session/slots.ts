/** A fixed number of places, given out in the order in which they are asked for. */

export interface Slot {
  /** Take a place if one is free (or held already). */
  readonly tryTake: () => boolean;
  /** Wait for a place. */
  readonly take: () => Promise<void>;
  readonly release: () => void;
}

export class Slots {
  private waiting: (() => void)[] = [];

  constructor(private free: number) {}

  one(): Slot {
    let held = false;
    const grant = () => {
      held = true;
    };
    return {
      tryTake: () => {
        if (!held && this.free > 0) {
          this.free--;
          grant();
        }
        return held;
      },
      take: async () => {
        if (held) return;
        if (this.free > 0) this.free--;
        else await new Promise<void>(resolve => this.waiting.push(resolve));
        grant();
      },
      release: () => {
        if (!held) return;
        held = false;
        const next = this.waiting.shift();
        if (next === undefined) this.free++;
        else next();
      },
    };
  }

  /** Let everybody through who waits. */
  close(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}
