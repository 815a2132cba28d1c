/** What every part of the browser-side session is given. */

import type { Canvas, Geometry, Host, Series, SliceSource, Vector } from '../types';
import type { PromptTarget } from '../prompts/body';
import type { Connection } from './connection';
import type { Outbox } from './outbox';
import type { Store } from './store';

export interface Context {
  readonly host: Host;
  readonly store: Store;
  readonly connection: Connection;
  readonly outbox: Outbox;
}

/** A session of the service whose volume is loaded and whose canvas is in the viewer. */
export interface OpenSession extends PromptTarget {
  readonly id: string;
  readonly series: Series;
  readonly geometry: Geometry;
  readonly slices: readonly SliceSource[];
  /** Of the acquired slices, unit length (LPS). */
  readonly sliceNormal: Vector;
  readonly canvas: Canvas;
}
