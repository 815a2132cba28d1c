/** The voxels of one segment, changed in place: a region that grows as it is written to. */

import type { Bounds, Region } from '../types';
import { contains, isEmpty, union } from './bounds';
import { NO_REGION, crop, tight, writeOver } from './region';

export class Mirror {
  private region: Region = NO_REGION;

  /** Write absolute voxels. */
  write(change: Region): void {
    if (isEmpty(change.box)) return;
    if (!contains(this.region.box, change.box)) this.region = crop(this.region, union(this.region.box, change.box));
    writeOver(this.region, change);
  }

  /** Be exactly this region, and zero elsewhere. */
  replace(whole: Region): void {
    this.region = { box: whole.box, voxels: whole.voxels.slice() };
  }

  /** The voxels of a box, as a copy. */
  crop(box: Bounds): Region {
    return crop(this.region, box);
  }

  /** The box outside of which everything is zero. */
  get bounds(): Bounds {
    return this.region.box;
  }

  /** Everything that is set; shared, not to be changed. */
  tight(): Region {
    return tight(this.region);
  }
}
