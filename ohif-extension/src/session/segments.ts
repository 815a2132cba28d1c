/** What a person does to segments as such: add, name, colour, hide, lock, delete. */

import { ProblemError } from '../api/problem';
import type { SegmentBody } from '../api/wire';
import type { Colour, Description } from '../types';
import { uuid } from '../uuid';
import type { Context, OpenSession } from './context';
import type { Lane } from './lane';
import { problemOf } from './problems';
import type { SegmentTable } from './table';

/** Told apart at a glance on grey images; after the last one the first comes again. */
const COLOURS: readonly Colour[] = [
  [255, 215, 0],
  [0, 174, 239],
  [236, 72, 153],
  [132, 204, 22],
  [249, 115, 22],
  [139, 92, 246],
  [20, 184, 166],
  [239, 68, 68],
];

export class Segments {
  constructor(
    private readonly context: Context,
    private readonly session: OpenSession,
    private readonly table: SegmentTable,
    private readonly lane: Lane
  ) {}

  /** Add a segment and make it the active one; false if the service did not. */
  async add(): Promise<boolean> {
    const place = Math.max(0, ...this.table.numbers) + 1;
    const body: SegmentBody = { label: `Segment ${place}`, colour: [...COLOURS[(place - 1) % COLOURS.length]!] };
    const key = uuid();
    return this.attempt(async () => {
      const made = await this.context.connection.call(client => client.addSegment(this.session.id, body, key));
      await this.table.put(made);
      this.table.activate(made.number);
    });
  }

  async next(): Promise<void> {
    const { numbers } = this.table;
    const at = numbers.indexOf(this.context.store.state.session?.activeSegment ?? -1);
    const following = numbers[at + 1];
    if (following === undefined) await this.add();
    else this.table.activate(following);
  }

  async describe(number: number, changes: Partial<Description>): Promise<void> {
    const key = uuid();
    const body = bodyOf(changes);
    await this.attempt(async () => {
      const { connection } = this.context;
      await this.table.put(await connection.call(c => c.changeSegment(this.session.id, number, body, key)));
    }, number);
  }

  setVisible(number: number, visible: boolean): void {
    this.context.store.updateSegment(number, { visible });
    void this.attempt(() => this.table.repaint(number), number);
  }

  async delete(number: number): Promise<void> {
    const key = uuid();
    await this.attempt(async () => {
      try {
        await this.context.connection.call(client => client.deleteSegment(this.session.id, number, key));
      } catch (error) {
        if (!(error instanceof ProblemError && error.type === 'segment-not-found')) throw error;
      }
      this.lane.dropSegment(number);
      this.table.remove(number);
    }, number);
  }

  private async attempt(work: () => Promise<void>, number?: number): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const problem = problemOf(error);
      if (number === undefined) this.context.store.updateSession({ problem });
      else this.context.store.updateSegment(number, { problem });
      return false;
    }
  }
}

function bodyOf(changes: Partial<Description>): SegmentBody {
  const body: SegmentBody = {};
  if (changes.label !== undefined) body.label = changes.label;
  if (changes.category !== undefined) body.category = changes.category;
  if (changes.type !== undefined) body.type = changes.type;
  if (changes.region !== undefined) body.region = changes.region;
  if (changes.laterality !== undefined) body.laterality = changes.laterality;
  if (changes.colour !== undefined) body.colour = [...changes.colour];
  if (changes.locked !== undefined) body.locked = changes.locked;
  return body;
}
