/** The voxels of one segment in the viewer: one 8-bit image for each slice of the session, and perhaps a volume over them. */

import type { Bounds, Region, SliceSource, Vector } from '../types';
import type { Core, LabelmapImage, Tools } from './cornerstone';
import { sourceOf } from './view';

/** Every labelmap holds one segment. */
export const SEGMENT_INDEX = 1;

/** Cornerstone's brush shows what it would paint under this value. */
const PREVIEW_INDEX = 255;

const NOTHING: Region = {
  box: [
    [0, 0],
    [0, 0],
    [0, 0],
  ],
  voxels: new Uint8Array(0),
};

export class Labelmap {
  /** In the order of k. */
  private readonly images: readonly LabelmapImage[];

  /**
   * Over a segmentation that the viewer has already.
   *
   * @throws if the viewer lacks the image of a slice, or has it with another matrix.
   */
  constructor(
    private readonly core: Core,
    private readonly tools: Tools,
    readonly segmentationId: string,
    slices: readonly SliceSource[],
    private readonly shape: Vector
  ) {
    const bySource = new Map(this.imageIds().map(imageId => this.entryOf(imageId)));
    this.images = slices.map(slice => this.checked(bySource.get(keyOf(slice)), slice));
  }

  /** Write absolute voxels; other values than 0 are set. */
  write({ box, voxels }: Region): void {
    const [[k0, k1], [j0, j1], [i0, i1]] = box;
    const width = i1 - i0;
    let from = 0;
    for (let k = k0; k < k1; k++) {
      const image = this.images[k]!;
      const data = image.voxelManager.getScalarData();
      for (let j = j0; j < j1; j++, from += width) data.set(voxels.subarray(from, from + width), j * image.columns + i0);
    }
  }

  /** Empty it, and return the slices that had voxels. */
  clear(): Bounds {
    const { box } = this.read();
    const [[k0, k1]] = box;
    for (let k = k0; k < k1; k++) this.images[k]!.voxelManager.getScalarData().fill(0);
    return box;
  }

  /** The tight box of what is set. */
  read(): Region {
    const spans = this.images.map(image => spanOf(image));
    const [low, high] = outer(spans.map((span, k) => (span === null ? null : [k, k + 1])));
    if (low === undefined || high === undefined) return NOTHING;
    const [j0 = 0, j1 = 0] = outer(spans.map(span => span?.rows ?? null));
    const [i0 = 0, i1 = 0] = outer(spans.map(span => span?.columns ?? null));
    const box: Bounds = [
      [low, high],
      [j0, j1],
      [i0, i1],
    ];
    return { box, voxels: this.cut(box) };
  }

  /** Tell the viewer that slices k0 to k1 have changed; it uploads and renders them. */
  announce([k0, k1]: readonly [number, number]): void {
    const events = this.tools.segmentation.triggerSegmentationEvents;
    events.triggerSegmentationDataModified(this.segmentationId, this.volumeSlices(k0, k1), SEGMENT_INDEX);
  }

  /** Take it out of the viewer and free its memory. */
  remove(): void {
    const data = this.data();
    const volumeId = data?.volumeId;
    // When a mode is left, the viewer has forgotten its segmentations already, but not their images.
    const imageIds = data?.imageIds ?? this.images.map(image => image.imageId);
    if (data !== undefined) this.tools.segmentation.removeSegmentation(this.segmentationId);
    if (volumeId !== undefined && this.core.cache.getVolume(volumeId) !== undefined) {
      this.core.cache.removeVolumeLoadObject(volumeId);
    }
    for (const imageId of imageIds) {
      if (this.core.cache.getImage(imageId) !== undefined) {
        this.core.cache.removeImageLoadObject(imageId, { force: true });
      }
    }
  }

  private cut(box: Bounds): Uint8Array {
    const [[k0, k1], [j0, j1], [i0, i1]] = box;
    const voxels = new Uint8Array((k1 - k0) * (j1 - j0) * (i1 - i0));
    let to = 0;
    for (let k = k0; k < k1; k++) {
      const { columns, voxelManager } = this.images[k]!;
      const data = voxelManager.getScalarData();
      for (let j = j0; j < j1; j++) {
        for (let i = i0; i < i1; i++) voxels[to++] = isSet(data[j * columns + i]!) ? 1 : 0;
      }
    }
    return voxels;
  }

  /** The viewer's volume has an order of slices of its own; without a volume it needs none. */
  private volumeSlices(k0: number, k1: number): number[] | undefined {
    const volumeId = this.data()?.volumeId;
    const order = volumeId === undefined ? undefined : this.core.cache.getVolume(volumeId)?.imageIds;
    if (order === undefined || k1 <= k0) return undefined;
    const indexOf = new Map(order.map((imageId, index) => [imageId, index]));
    return this.images.slice(k0, k1).map(image => indexOf.get(image.imageId) ?? 0);
  }

  private data() {
    return this.tools.segmentation.state.getSegmentation(this.segmentationId)?.representationData.Labelmap;
  }

  private imageIds(): readonly string[] {
    return this.data()?.imageIds ?? [];
  }

  private entryOf(imageId: string): readonly [string, LabelmapImage | undefined] {
    const image = this.core.cache.getImage(imageId);
    const source = image === undefined ? null : sourceOf(this.core, image.referencedImageId);
    return [source === null ? imageId : keyOf(source), image];
  }

  private checked(image: LabelmapImage | undefined, { sopInstanceUid, frameNumber }: SliceSource): LabelmapImage {
    const name = `image ${sopInstanceUid}, frame ${frameNumber}`;
    if (image === undefined) {
      throw new Error(`The viewer has not loaded ${name} of this series. Reload the study, then start again.`);
    }
    const [, rows, columns] = this.shape;
    if (image.rows !== rows || image.columns !== columns) {
      const sizes = `${image.rows} x ${image.columns} instead of ${rows} x ${columns} pixels`;
      throw new Error(`The viewer shows ${name} with ${sizes}.`);
    }
    return image;
  }
}

function keyOf({ sopInstanceUid, frameNumber }: SliceSource): string {
  return `${sopInstanceUid}/${frameNumber}`;
}

function isSet(value: number): boolean {
  return value !== 0 && value !== PREVIEW_INDEX;
}

type Span = readonly [number, number];

function spanOf({ columns, voxelManager }: LabelmapImage): { readonly rows: Span; readonly columns: Span } | null {
  const data = voxelManager.getScalarData();
  if (isEmpty(data)) return null;
  let first = 0;
  while (first < data.length && !isSet(data[first]!)) first++;
  let last = data.length - 1;
  while (last >= first && !isSet(data[last]!)) last--;
  if (last < first) return null;
  const rows: Span = [Math.floor(first / columns), Math.floor(last / columns) + 1];
  let [i0, i1] = [columns, 0];
  for (let j = rows[0]; j < rows[1]; j++) {
    const row = data.subarray(j * columns, (j + 1) * columns);
    for (let i = 0; i < i0; i++) if (isSet(row[i]!)) i0 = i;
    for (let i = columns - 1; i >= i1; i--) if (isSet(row[i]!)) i1 = i + 1;
  }
  return { rows, columns: [i0, i1] };
}

/** Four voxels at a time: most slices of a labelmap are empty. */
function isEmpty(data: Uint8Array): boolean {
  const whole = data.byteOffset % 4 === 0 && data.length % 4 === 0;
  const words = whole ? new Uint32Array(data.buffer, data.byteOffset, data.length / 4) : data;
  for (const word of words) if (word !== 0) return false;
  return true;
}

/** The smallest span around all. */
function outer(spans: readonly (Span | null)[]): readonly number[] {
  const found = spans.filter(span => span !== null);
  if (found.length === 0) return [];
  return [Math.min(...found.map(([from]) => from)), Math.max(...found.map(([, to]) => to))];
}
