/** The panel's only door: mounts the views in an element, over a controller. */
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import type { Controller } from '../types';
import { ControllerContext } from './controller';
import { Panel } from './Panel';
import { installStylesheet } from './stylesheet';

/**
 * Show the panel in `element` until the returned function is called.
 *
 * OHIF shares no React, so the panel brings its own and owns everything below `element`. It keeps nothing but open pickers:
 * mounting it again on the same controller shows the same state.
 */
export function mountPanel(element: HTMLElement, controller: Controller): () => void {
  installStylesheet(element.ownerDocument);
  const root = createRoot(element);
  root.render(
    <StrictMode>
      <ControllerContext.Provider value={controller}>
        <Panel />
      </ControllerContext.Provider>
    </StrictMode>
  );
  return () => root.unmount();
}
