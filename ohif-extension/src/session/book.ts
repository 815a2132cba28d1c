/** Which prompts of a segment are in effect, wait, or are collected: what is drawn in the viewer, and counted. */

import type { StepVerb } from '../api/client';
import type { PromptReply } from '../api/wire';
import type { Drawing } from '../types';

export class PromptBook {
  /** Everything ever drawn on the segment, also what is undone and may come back. */
  private readonly known = new Map<string, Drawing>();
  /** In effect or on their way to it, in order. */
  private ids: readonly string[] = [];
  /** Drawn here and not yet answered. */
  private readonly open = new Set<string>();
  private readonly waiting = new Set<string>();
  private readonly collecting = new Set<string>();
  private undoable = false;
  private redoable = false;

  /** A prompt of this window, just made; no drawing for a brush edit. */
  add(id: string, drawing: Drawing | null): void {
    if (drawing !== null) this.known.set(id, drawing);
    this.ids = [...this.ids.filter(other => other !== id), id];
    this.open.add(id);
  }

  /** The service has answered a prompt of this window. */
  settle(id: string): void {
    this.open.delete(id);
  }

  collect(id: string): void {
    this.open.delete(id);
    this.collecting.add(id);
  }

  /** Prompts had their effect. */
  applied(ids: readonly string[]): void {
    for (const id of ids) this.leaveQueue(id);
  }

  /** A prompt has no effect and will have none. */
  drop(id: string): void {
    this.leaveQueue(id);
    this.known.delete(id);
    this.ids = this.ids.filter(other => other !== id);
  }

  undone(ids: readonly string[]): void {
    for (const id of ids) this.leaveQueue(id);
    this.ids = this.ids.filter(id => !ids.includes(id));
  }

  redone(ids: readonly string[]): void {
    this.ids = [...this.ids.filter(id => !ids.includes(id)), ...ids];
  }

  /** A reset: only what was drawn after it stays. */
  cleared(): void {
    this.waiting.clear();
    this.collecting.clear();
    this.ids = this.ids.filter(id => this.open.has(id));
  }

  /** A step was made, undone or done again; what is left to undo or redo is known only when the service tells. */
  stepped(verb: 'prompt' | StepVerb, changed: boolean): void {
    if (!changed) return;
    if (verb !== 'undo') this.undoable = true;
    this.redoable = verb === 'undo' || (verb === 'redo' && this.redoable);
  }

  /** Take over what the service says can be undone and redone. */
  adoptHistory(canUndo: boolean, canRedo: boolean): void {
    this.undoable = canUndo;
    this.redoable = canRedo;
  }

  /** Take over the service's own list; what it has not been told yet stays at the end. */
  adopt(prompts: readonly PromptReply[], drawingOf: (prompt: PromptReply) => Drawing | null): void {
    this.waiting.clear();
    this.collecting.clear();
    for (const prompt of prompts) {
      if (!this.known.has(prompt.id)) {
        const drawing = drawingOf(prompt);
        if (drawing !== null) this.known.set(prompt.id, drawing);
      }
      if (prompt.state === 'collected') this.collecting.add(prompt.id);
      if (prompt.state === 'waiting' || prompt.state === 'running') this.waiting.add(prompt.id);
    }
    const listed = prompts.map(prompt => prompt.id);
    this.ids = [...listed, ...[...this.open].filter(id => !listed.includes(id))];
  }

  get drawings(): Drawing[] {
    return this.ids.flatMap(id => this.known.get(id) ?? []);
  }

  get canUndo(): boolean {
    return this.undoable || this.running + this.collected > 0;
  }

  get canRedo(): boolean {
    return this.redoable;
  }

  get running(): number {
    return new Set([...this.open, ...this.waiting]).size;
  }

  get collected(): number {
    return [...this.collecting].filter(id => !this.open.has(id)).length;
  }

  private leaveQueue(id: string): void {
    this.open.delete(id);
    this.waiting.delete(id);
    this.collecting.delete(id);
  }
}
