/** OHIF's segmentation mode turns to a tab of its own at the first segmentation, which may be one of ours. */

import { PANEL, PANEL_TEST_ID } from '../ids';
import type { Unsubscribe } from '../types';
import type { PanelService } from './ohif';

/** Bring our panel back to the front, if it is there now, whenever the viewer by itself opens another one. */
export function keepPanelOpen(panels: PanelService): Unsubscribe {
  if (document.querySelector(`[data-cy="${PANEL_TEST_ID}"]`) === null) return () => undefined;
  const subscription = panels.subscribe(panels.EVENTS.ACTIVATE_PANEL, detail => {
    const { panelId } = detail as { readonly panelId: string };
    // After the viewer's own listeners have opened the other one.
    if (panelId !== PANEL) queueMicrotask(() => panels.activatePanel(PANEL, true));
  });
  return () => subscription.unsubscribe();
}
