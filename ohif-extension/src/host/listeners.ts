/** A set of listeners to one kind of event. */

import type { Unsubscribe } from '../types';

export class Listeners<Details extends unknown[]> {
  private readonly listeners = new Set<(...details: Details) => void>();

  add(listener: (...details: Details) => void): Unsubscribe {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** One listener's failure keeps the others from nothing. */
  tell(...details: Details): void {
    for (const listener of [...this.listeners]) {
      try {
        listener(...details);
      } catch (error) {
        console.error('Delineate:', error);
      }
    }
  }
}
