/**
 * The session's steps on the viewer's own undo history, so that OHIF's buttons and keys reach them.
 *
 * The viewer's history and the service's are two lists. One press of a viewer's button is always one undo (or redo) of the
 * segment that the step belongs to, and never of a step twice: a memory does not name a step, it asks for the segment's
 * last one. What is undone by the panel's own button leaves a surplus memory behind, which a later redo takes up again, and
 * which does nothing when the segment has no step left.
 */

import type { Host } from '../types';

export interface Steps {
  readonly canUndo: (segment: number) => boolean;
  readonly canRedo: (segment: number) => boolean;
  readonly undo: (segment: number) => void;
  readonly redo: (segment: number) => void;
}

export class ViewerHistory {
  /** By segment: memories that the viewer could still undo, less steps that it should. */
  private readonly surplus = new Map<number, number>();

  constructor(
    private readonly host: Pick<Host, 'rememberStep'>,
    private readonly steps: Steps
  ) {}

  /** A step was made in this window. */
  remember(segment: number): void {
    this.host.rememberStep({
      undo: () => this.viewerUndo(segment),
      redo: () => this.viewerRedo(segment),
    });
  }

  /** The panel undid a step, past the viewer's history. */
  panelUndid(segment: number): void {
    this.add(segment, 1);
  }

  /** The panel did a step again. */
  panelRedid(segment: number): void {
    if ((this.surplus.get(segment) ?? 0) > 0) this.add(segment, -1);
    else this.remember(segment);
  }

  private viewerUndo(segment: number): void {
    if (this.steps.canUndo(segment)) this.steps.undo(segment);
    else this.add(segment, -1);
  }

  private viewerRedo(segment: number): void {
    if (this.steps.canRedo(segment)) this.steps.redo(segment);
    else this.add(segment, 1);
  }

  private add(segment: number, by: number): void {
    this.surplus.set(segment, Math.max(0, (this.surplus.get(segment) ?? 0) + by));
  }
}
