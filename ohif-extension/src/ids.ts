/** Names under which the viewer knows us. */

export const EXTENSION_ID = '@delineate/ohif-extension';
export const PANEL_NAME = 'delineate';
/** As in a mode's list of panels. */
export const PANEL = `${EXTENSION_ID}.panelModule.${PANEL_NAME}`;
/** `data-cy` of the element that the panel is mounted in. */
export const PANEL_TEST_ID = 'delineate-panel';
