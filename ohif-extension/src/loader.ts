/**
 * What the viewer imports in place of the extension. An extension whose file is missing or broken would leave its mode
 * blank; this one then says in the panel what is wrong, and the rest of the viewer works.
 */

import { EXTENSION_ID, PANEL_NAME, PANEL_TEST_ID } from './ids';

interface Extension {
  readonly id: string;
}

async function load(): Promise<Extension> {
  const url = new URL('./extension.js', import.meta.url).href;
  try {
    const module = (await import(url)) as { readonly default: Extension };
    return module.default;
  } catch (error) {
    console.warn(`Delineate: ${url} could not be loaded.`, error);
    return placeholder(url, error);
  }
}

function placeholder(url: string, error: unknown): Extension & { getPanelModule(): unknown } {
  const text = `Delineate could not be loaded from ${url} (${String(error)}). Everything else in the viewer works; please tell
your administrator.`;
  const attach = (element: HTMLElement | null) => {
    if (element !== null) element.textContent = text;
  };
  return {
    id: EXTENSION_ID,
    getPanelModule: () => [
      {
        name: PANEL_NAME,
        iconName: 'icon-tool-click-segment',
        iconLabel: 'Delineate',
        label: 'Delineate',
        component: () => element(attach),
      },
    ],
  };
}

/** A React element made by hand: this file is loaded with the study list, and React is not worth its weight here. */
function element(ref: (element: HTMLElement | null) => void): unknown {
  return {
    $$typeof: Symbol.for('react.element'),
    type: 'div',
    key: null,
    ref,
    props: { className: 'p-4 text-foreground text-sm', 'data-cy': PANEL_TEST_ID },
    _owner: null,
    _store: {},
  };
}

export default await load();
