/** Strokes of the viewer's own brush, eraser and the like on our labelmaps. */

import type { Core, Tools } from './cornerstone';

interface DataModified {
  readonly segmentationId: string;
}

/** Tells when an edit has ended: when no button is down any more, and all of the viewer's own handlers have run. */
export class Edits {
  private readonly edited = new Set<string>();
  private buttons = 0;
  private own = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly removal = new AbortController();

  constructor(
    core: Core,
    tools: Tools,
    private readonly isOurs: (segmentationId: string) => boolean,
    private readonly onEnded: (segmentationId: string) => void
  ) {
    const { signal } = this.removal;
    const modified = (event: Event) => this.note((event as CustomEvent<DataModified>).detail.segmentationId);
    core.eventTarget.addEventListener(tools.Enums.Events.SEGMENTATION_DATA_MODIFIED, modified, { signal });
    const follow = (event: MouseEvent) => {
      this.buttons = event.buttons;
      this.schedule();
    };
    window.addEventListener('mousedown', follow, { capture: true, signal });
    window.addEventListener('mouseup', follow, { capture: true, signal });
  }

  /** Run what changes labelmaps by our own doing. */
  asOwn<T>(change: () => T): T {
    const before = this.own;
    this.own = true;
    try {
      return change();
    } finally {
      this.own = before;
    }
  }

  dispose(): void {
    this.removal.abort();
    clearTimeout(this.timer);
  }

  private note(segmentationId: string): void {
    if (this.own || !this.isOurs(segmentationId)) return;
    this.edited.add(segmentationId);
    this.schedule();
  }

  private schedule(): void {
    clearTimeout(this.timer);
    if (this.buttons !== 0 || this.edited.size === 0) return;
    this.timer = setTimeout(() => this.flush(), 0);
  }

  private flush(): void {
    const ended = [...this.edited];
    this.edited.clear();
    for (const segmentationId of ended) this.onEnded(segmentationId);
  }
}
