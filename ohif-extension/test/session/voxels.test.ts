import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { PatchReply } from '../../src/api/wire';
import { encodeRegion } from '../../src/labelmap/bits';
import { Mirror } from '../../src/labelmap/mirror';
import { SegmentVoxels } from '../../src/session/voxels';
import type { Bounds, Region } from '../../src/types';
import { FakeCanvas } from '../fakes/host';
import { random, randomRegion } from '../random';

const SHAPE = [5, 8, 9] as const;
const ALL: Bounds = [[0, 5], [0, 8], [0, 9]];

function patchOf(region: Region, base: number, revision: number, ids: string[] = []): PatchReply {
  const { box, voxels, encoding } = encodeRegion(region);
  return {
    segment: 1,
    revision,
    base_revision: base,
    final: true,
    prompt_ids: ids,
    box: box.map(span => [...span]),
    voxels,
    encoding,
    volume_ml: revision,
    timing_ms: { queue: 0, model: 0, encode: 0 },
  };
}

/** A segment whose truth the test knows at every revision. */
class Story {
  readonly truth = new Mirror();
  readonly patches: PatchReply[] = [];
  private readonly next = random(11);

  step(id?: string, region = randomRegion(this.next, ALL)): PatchReply {
    this.truth.write(region);
    const patch = patchOf(region, this.patches.length, this.patches.length + 1, id === undefined ? [] : [id]);
    this.patches.push(patch);
    return patch;
  }

  whole(): PatchReply {
    const revision = this.patches.length;
    return patchOf(this.truth.tight(), revision, revision);
  }

  get voxels(): number[] {
    return [...this.truth.crop(ALL).voxels];
  }
}

let canvas: FakeCanvas;
let story: Story;
let voxels: SegmentVoxels;
let fetched: number;
let painted: number[];
let failures: unknown[];

beforeEach(async () => {
  vi.useFakeTimers();
  canvas = new FakeCanvas(SHAPE);
  await canvas.putSegment({ number: 1, label: 'One', colour: [1, 2, 3], visible: true, locked: false });
  story = new Story();
  fetched = 0;
  painted = [];
  failures = [];
  voxels = new SegmentVoxels(1, {
    canvas,
    fetchLabelmap: () => {
      fetched++;
      return Promise.resolve(story.whole());
    },
    onRevision: () => undefined,
    onPainted: patch => painted.push(patch.revision),
    onFailed: (_, error) => failures.push(error),
  });
  await voxels.start(0);
});

afterEach(() => {
  voxels.close();
  vi.useRealTimers();
  expect(failures).toEqual([]);
});

function shown(): number[] {
  return [...canvas.voxels(1)];
}

describe('patches', () => {
  it('are painted as they come, if they come in order', async () => {
    for (let n = 0; n < 10; n++) {
      await voxels.receive(story.step());
      expect(shown()).toEqual(story.voxels);
    }
    expect(canvas.writes.every(w => !w.full)).toBe(true);
    expect(fetched).toBe(0);
  });

  it('wait for those before them', async () => {
    const [first, second, third] = [story.step(), story.step(), story.step()];
    await voxels.receive(third);
    await voxels.receive(second);
    expect(canvas.writes).toEqual([]);
    await voxels.receive(first);
    expect(voxels.shown).toBe(3);
    expect(shown()).toEqual(story.voxels);
    await vi.advanceTimersByTimeAsync(5000);
    expect(painted).toEqual([1, 2, 3]);
    expect(fetched).toBe(0);
  });

  it('are never painted when they are old', async () => {
    const old = story.step();
    await voxels.receive(old);
    await voxels.receive(story.step());
    const writes = canvas.writes.length;
    await voxels.receive(old);
    expect(canvas.writes.length).toBe(writes);
    expect(shown()).toEqual(story.voxels);
  });

  it('that never come are made up for by the whole labelmap', async () => {
    story.step();
    await voxels.receive(story.step());
    expect(canvas.writes).toEqual([]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(fetched).toBe(1);
    expect(shown()).toEqual(story.voxels);
    await voxels.receive(story.step());
    expect(shown()).toEqual(story.voxels);
    expect(fetched).toBe(1);
  });

  it('are missed when the service is known to be further', async () => {
    story.step();
    voxels.expect(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(shown()).toEqual(story.voxels);
  });

  it('of several revisions at once count as those', async () => {
    const [first, second] = [story.step(), story.step()];
    const together = patchOf(story.truth.crop(ALL), 0, 2);
    await voxels.receive(together);
    await voxels.receive(first);
    await voxels.receive(second);
    expect(voxels.shown).toBe(2);
    expect(shown()).toEqual(story.voxels);
  });

  it('of several revisions that begin before what is shown are made up for', async () => {
    await voxels.receive(story.step());
    story.step();
    await voxels.receive(patchOf(story.truth.crop(ALL), 0, 2));
    await vi.advanceTimersByTimeAsync(1000);
    expect(voxels.shown).toBe(2);
    expect(shown()).toEqual(story.voxels);
  });

  it('that change nothing paint nothing', async () => {
    await voxels.receive(patchOf({ box: [[0, 0], [0, 0], [0, 0]], voxels: new Uint8Array(0) }, 0, 1));
    expect(voxels.shown).toBe(1);
    expect(canvas.writes).toEqual([]);
  });

  it('wait until the viewer has the labelmap', async () => {
    const early = new SegmentVoxels(1, {
      canvas,
      fetchLabelmap: () => Promise.resolve(story.whole()),
      onRevision: () => undefined,
      onPainted: patch => painted.push(patch.revision),
      onFailed: (_, error) => failures.push(error),
    });
    await early.receive(story.step());
    await vi.advanceTimersByTimeAsync(5000);
    expect(canvas.writes).toEqual([]);
    await early.start(0);
    expect(shown()).toEqual(story.voxels);
    early.close();
  });
});

describe('brush edits', () => {
  const stroke: Bounds = [[1, 3], [2, 6], [3, 7]];

  it('are the whole segment with the stroke on it', async () => {
    await voxels.receive(story.step());
    canvas.brush(1, stroke, 1);
    expect(voxels.takeEdit('edit')).toBe(true);
    const whole = voxels.edited('edit')!;
    const after = new Mirror();
    after.write(whole);
    expect([...after.crop(ALL).voxels]).toEqual(shown());
  });

  it('that change nothing are none', async () => {
    await voxels.receive(story.step(undefined, { box: ALL, voxels: new Uint8Array(360).fill(1) }));
    canvas.brush(1, stroke, 1);
    expect(voxels.takeEdit('edit')).toBe(false);
  });

  it('stay on top of what comes while they are on their way, and are sent over it', async () => {
    await voxels.receive(story.step());
    canvas.brush(1, stroke, 1);
    voxels.takeEdit('edit');
    await voxels.receive(story.step('other', { box: ALL, voxels: new Uint8Array(360) }));
    const expected = new Mirror();
    expected.write({ box: stroke, voxels: new Uint8Array(32).fill(1) });
    const before = shown();
    const sent = voxels.edited('edit')!;
    story.step('edit', { box: ALL, voxels: (expected.write(sent), expected.crop(ALL).voxels) });
    await voxels.receive(story.patches.at(-1)!);
    expect(shown()).toEqual(before);
    expect(shown()).toEqual(story.voxels);
  });

  it('are taken off again when they are refused', async () => {
    await voxels.receive(story.step());
    canvas.brush(1, stroke, 1);
    voxels.takeEdit('edit');
    voxels.dropEdit('edit');
    expect(shown()).toEqual(story.voxels);
  });
});

describe('previews', () => {
  function preview(region: Region): PatchReply {
    return { ...patchOf(region, story.patches.length, story.patches.length + 1), final: false };
  }

  const next = random(21);

  it('are shown one on the other, and nothing of them is left after the patch', async () => {
    await voxels.receive(story.step());
    const seen = new Mirror();
    seen.replace(story.truth.tight());
    for (let n = 0; n < 5; n++) {
      const region = randomRegion(next, ALL);
      seen.write(region);
      await voxels.receivePreview(preview(region));
      expect(shown()).toEqual([...seen.crop(ALL).voxels]);
    }
    await voxels.receive(story.step(undefined, { box: [[0, 1], [0, 1], [0, 1]], voxels: Uint8Array.of(1) }));
    expect(shown()).toEqual(story.voxels);
  });

  it('go when the prompt is cancelled', async () => {
    await voxels.receive(story.step());
    await voxels.receivePreview(preview(randomRegion(next, ALL)));
    voxels.dropPreview();
    expect(shown()).toEqual(story.voxels);
  });

  it('that come late are not shown', async () => {
    const late = preview(randomRegion(next, ALL));
    await voxels.receive(story.step());
    await voxels.receivePreview(late);
    expect(shown()).toEqual(story.voxels);
  });

  it('are not taken for what the brush did', async () => {
    const stroke: Bounds = [[0, 2], [0, 2], [0, 2]];
    await voxels.receive(story.step(undefined, { box: ALL, voxels: new Uint8Array(360) }));
    await voxels.receivePreview(preview({ box: [[3, 5], [4, 8], [0, 9]], voxels: new Uint8Array(72).fill(1) }));
    canvas.brush(1, stroke, 1);
    voxels.takeEdit('edit');
    voxels.dropPreview();
    const whole = voxels.edited('edit')!;
    expect(whole.box).toEqual(stroke);
    expect(shown().filter(voxel => voxel === 1)).toHaveLength(8);
  });

  it('that pile up while one is painted are painted together', async () => {
    const rendered: (() => void)[] = [];
    const write = canvas.write.bind(canvas);
    canvas.write = async (number, region) => {
      const timing = await write(number, region);
      await new Promise<void>(resolve => rendered.push(resolve));
      return timing;
    };
    const shownPreviews = Array.from({ length: 6 }, () => randomRegion(next, ALL));
    const all = new Mirror();
    for (const region of shownPreviews) {
      all.write(region);
      void voxels.receivePreview(preview(region));
    }
    for (let n = 0; n < 6; n++) {
      rendered.shift()?.();
      await vi.advanceTimersByTimeAsync(0);
    }
    expect(canvas.writes).toHaveLength(2);
    expect(shown()).toEqual([...all.crop(ALL).voxels]);
  });
});
