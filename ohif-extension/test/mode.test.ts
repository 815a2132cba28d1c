import { expect, it } from 'vitest';
import { PANEL } from '../src/ids';
import delineate, { segmentation } from '../src/mode';

const STOCK = {
  '@ohif/mode-segmentation': {
    id: '@ohif/mode-segmentation',
    routeName: 'segmentation',
    displayName: 'Segmentation',
    extensions: { '@ohif/extension-default': '^3.0.0' },
    routes: [{ path: 'template', layoutInstance: { id: 'layout', props: { leftPanels: ['list'], rightPanels: ['labelmap'] } } }],
    onModeEnter: 'that turns to its own tab',
  },
  '@ohif/mode-basic': { onModeEnter: 'that does not' },
};

const loadModules = (names: readonly string[]) =>
  Promise.resolve(names.map(name => ({ modeInstance: STOCK[name as keyof typeof STOCK] }) as never));

const panelsOf = (mode: { routes: readonly { layoutInstance: { props: { rightPanels: readonly string[] } } }[] }) =>
  mode.routes.map(route => route.layoutInstance.props.rightPanels);

it('is the segmentation mode with our panel in front, loaded when it is opened', async () => {
  const mode = await delineate.modeFactory({ loadModules });
  expect(panelsOf(mode)).toEqual([[PANEL, 'labelmap']]);
  expect(mode).toMatchObject({ routeName: 'delineate', displayName: 'Delineate', onModeEnter: 'that does not' });
  expect(Object.keys(mode.extensions)).toEqual(['@ohif/extension-default', expect.stringMatching(/\/loader\.js$/)]);
});

it("leaves OHIF's own segmentation mode as it is, with our panel as its last tab", async () => {
  const mode = await segmentation.modeFactory({ loadModules });
  expect(panelsOf(mode)).toEqual([['labelmap', PANEL]]);
  expect(mode).toMatchObject({ routeName: 'segmentation', onModeEnter: 'that turns to its own tab' });
});

it('changes nothing of what OHIF keeps for its own modes', async () => {
  const before = JSON.stringify(STOCK);
  await delineate.modeFactory({ loadModules });
  expect(JSON.stringify(STOCK)).toBe(before);
});

it('names the mode that the viewer lacks', async () => {
  await expect(delineate.modeFactory({ loadModules: () => Promise.resolve([undefined]) })).rejects.toThrow('@ohif/mode');
});
