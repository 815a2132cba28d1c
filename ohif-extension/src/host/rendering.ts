/** Waiting until viewports have drawn. */

import type { Core, Viewport } from './cornerstone';

/** A viewport that is hidden, or was just taken away, never draws. */
const PATIENCE_MS = 5000;

/** Resolves when each viewport has drawn once more; at once where the page is hidden. */
export async function rendered(core: Core, viewports: readonly Viewport[]): Promise<void> {
  if (document.hidden) return;
  await Promise.all(viewports.map(({ element }) => next(element, core.Enums.Events.IMAGE_RENDERED)));
}

function next(element: HTMLElement, event: string): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      clearTimeout(timer);
      element.removeEventListener(event, done);
      resolve();
    };
    const timer = setTimeout(done, PATIENCE_MS);
    element.addEventListener(event, done);
  });
}
