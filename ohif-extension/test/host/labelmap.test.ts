import { describe, expect, it, vi } from 'vitest';
import type { Region, SliceSource, Vector } from '../../src/types';
import type { Core, LabelmapImage, Tools } from '../../src/host/cornerstone';
import { Labelmap } from '../../src/host/labelmap';

const SHAPE: Vector = [4, 5, 6];
const SLICES: readonly SliceSource[] = [0, 1, 2, 3].map(k => ({ sopInstanceUid: `1.2.${k}`, frameNumber: 1 }));

/** A viewer that holds the slices in an order of its own, and a volume in yet another. */
function viewer(columns = SHAPE[2]) {
  const order = [2, 0, 3, 1];
  const images = new Map(
    order.map(k => {
      const data = new Uint8Array(SHAPE[1] * columns);
      const image: LabelmapImage = {
        imageId: `derived:${k}`,
        referencedImageId: `wadors:1.2.${k}/frames/1`,
        rows: SHAPE[1],
        columns,
        voxelManager: { getScalarData: () => data },
      };
      return [image.imageId, image] as const;
    })
  );
  const announce = vi.fn();
  const cache = {
    getImage: (id: string) => images.get(id),
    getVolume: () => ({ imageIds: ['derived:3', 'derived:2', 'derived:1', 'derived:0'] }),
  };
  const metaData = { get: (_: string, id: string) => ({ sopInstanceUID: /1\.2\.\d/.exec(id)?.[0] }) };
  const data = { imageIds: [...images.keys()], volumeId: 'volume' };
  const segmentation = {
    state: { getSegmentation: () => ({ representationData: { Labelmap: data } }) },
    triggerSegmentationEvents: { triggerSegmentationDataModified: announce },
  };
  return { core: { cache, metaData } as unknown as Core, tools: { segmentation } as unknown as Tools, images, announce };
}

function labelmapOf({ core, tools }: ReturnType<typeof viewer>, slices = SLICES) {
  return new Labelmap(core, tools, 'ours-1', slices, SHAPE);
}

const REGION: Region = {
  box: [
    [1, 3],
    [2, 4],
    [1, 4],
  ],
  voxels: Uint8Array.from([1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 0, 1]),
};

describe('Labelmap', () => {
  it('writes each slice into the image that it came from, whatever their order', () => {
    const page = viewer();
    labelmapOf(page).write(REGION);
    const rows = (k: number) => Array.from(page.images.get(`derived:${k}`)!.voxelManager.getScalarData());
    expect(rows(0).some(Boolean)).toBe(false);
    expect(rows(3).some(Boolean)).toBe(false);
    expect(rows(1).slice(12, 24)).toEqual([0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0]);
    expect(rows(2).slice(12, 24)).toEqual([0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0]);
  });

  it('reads back the tight box of what was written', () => {
    const labelmap = labelmapOf(viewer());
    labelmap.write(REGION);
    expect(labelmap.read()).toEqual(REGION);
  });

  it('writes absolute values: zeros take voxels away', () => {
    const labelmap = labelmapOf(viewer());
    labelmap.write(REGION);
    labelmap.write({ box: REGION.box, voxels: new Uint8Array(12) });
    expect(labelmap.read().voxels).toHaveLength(0);
  });

  it('empties itself, and tells which slices had voxels', () => {
    const labelmap = labelmapOf(viewer());
    labelmap.write(REGION);
    expect(labelmap.clear()).toEqual(REGION.box);
    expect(labelmap.read().voxels).toHaveLength(0);
  });

  it("leaves out what the viewer's brush only previews", () => {
    const page = viewer();
    const labelmap = labelmapOf(page);
    page.images.get('derived:0')!.voxelManager.getScalarData().fill(255, 0, 3);
    page.images.get('derived:1')!.voxelManager.getScalarData()[8] = 1;
    expect(labelmap.read()).toEqual({ box: [[1, 2], [1, 2], [2, 3]], voxels: Uint8Array.of(1) });
  });

  it("names the changed slices in the order of the viewer's volume", () => {
    const page = viewer();
    labelmapOf(page).announce([1, 3]);
    expect(page.announce).toHaveBeenCalledExactlyOnceWith('ours-1', [2, 1], 1);
  });

  it('refuses a session whose image the viewer lacks, or has with another matrix', () => {
    const missing = [...SLICES, { sopInstanceUid: '1.2.9', frameNumber: 1 }];
    expect(() => labelmapOf(viewer(), missing)).toThrow('1.2.9');
    expect(() => labelmapOf(viewer(7))).toThrow('5 x 7 instead of 5 x 6');
  });
});
