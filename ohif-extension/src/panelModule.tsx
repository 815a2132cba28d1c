/** Our panel as an entry of OHIF's right-hand panels. */

import { PANEL_TEST_ID } from './ids';
import type { Controller } from './types';
import { mountPanel } from './panel';

export interface PanelEntry {
  readonly name: string;
  readonly iconName: string;
  readonly iconLabel: string;
  readonly label: string;
  readonly component: () => React.JSX.Element;
}

/**
 * OHIF renders the component with a React of its own, in which our hooks would crash: so it is a bare element, and our own
 * React mounts into that. OHIF takes it away whenever another tab is opened; the controller outlives it.
 */
export function panelModule(name: string, controller: () => Controller): PanelEntry {
  let unmount: (() => void) | null = null;
  const attach = (element: HTMLDivElement | null) => {
    unmount?.();
    unmount = element === null ? null : mountPanel(element, controller());
  };
  return {
    name,
    iconName: 'icon-tool-click-segment',
    iconLabel: 'Delineate',
    label: 'Delineate',
    component: () => <div ref={attach} className="h-full w-full" data-cy={PANEL_TEST_ID} />,
  };
}
