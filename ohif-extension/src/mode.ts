/**
 * The mode "Delineate", and OHIF's own segmentation mode with our panel. Both are OHIF's modes with a few entries more, so
 * that a newer OHIF brings its own improvements along.
 */

import { PANEL } from './ids';
import { withDelineate, type Binding } from './hotkeys';

const SEGMENTATION = '@ohif/mode-segmentation';
const BASIC = '@ohif/mode-basic';

interface Layout {
  readonly props: { readonly rightPanels: readonly string[] };
}

/** The part of OHIF's modes that we change. */
interface ModeInstance {
  readonly extensions: Readonly<Record<string, string>>;
  readonly routes: readonly { readonly layoutInstance: Layout }[];
  readonly onModeEnter: unknown;
}

interface ModeDefinition {
  readonly modeInstance: ModeInstance;
}

interface Context {
  readonly modeConfiguration?: unknown;
  /** Loads OHIF's own modes by name. */
  loadModules(names: readonly string[]): Promise<readonly (ModeDefinition | undefined)[]>;
}

/** Loaded by the viewer when a mode that has it is opened, not before. */
const EXTENSION_URL = new URL('./loader.js', import.meta.url).href;

async function stockMode(context: Context, name: string): Promise<ModeInstance> {
  const [mode] = await context.loadModules([name]);
  if (mode === undefined) throw new Error(`Delineate's mode extends ${name}, which this viewer does not have.`);
  return mode.modeInstance;
}

async function delineateMode(context: Context) {
  const segmentation = await stockMode(context, SEGMENTATION);
  // The segmentation mode's own hook would turn to its labelmap tab at the first segmentation.
  const { onModeEnter } = await stockMode(context, BASIC);
  return {
    ...withPanel(segmentation, 'first'),
    id: '@delineate/mode',
    routeName: 'delineate',
    displayName: 'Delineate',
    onModeEnter,
    modeCustomizations: {
      // It would count the voxels of a whole labelmap in a worker after every patch; our panel shows the volumes.
      'panelSegmentation.disableUpdateSegmentationStats': { $set: true },
      'ohif.hotkeyBindings': { $apply: (bindings: readonly Binding[]) => withDelineate(bindings) },
    },
  };
}

async function segmentationMode(context: Context) {
  return withPanel(await stockMode(context, SEGMENTATION), 'last');
}

function withPanel(mode: ModeInstance, place: 'first' | 'last'): ModeInstance {
  const layout = ({ props, ...rest }: Layout): Layout => {
    const { rightPanels } = props;
    const panels = place === 'first' ? [PANEL, ...rightPanels] : [...rightPanels, PANEL];
    return { ...rest, props: { ...props, rightPanels: panels } };
  };
  return {
    ...mode,
    extensions: { ...mode.extensions, [EXTENSION_URL]: '*' },
    routes: mode.routes.map(route => ({ ...route, layoutInstance: layout(route.layoutInstance) })),
  };
}

/** OHIF's segmentation mode with our panel as its last tab; takes the stock mode's place by its id. */
export const segmentation = { id: SEGMENTATION, modeFactory: segmentationMode };

export default { id: '@delineate/mode', modeFactory: delineateMode };
