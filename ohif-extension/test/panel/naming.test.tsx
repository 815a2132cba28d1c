// @vitest-environment jsdom
import { waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';

import { ANATOMY, IDLE, KIDNEY, LEFT, STATES, TERMINOLOGY } from '../panel-harness/states';
import { mount, type Mounted } from './mounted';

const NAMING = STATES.naming ?? IDLE;

async function openNaming(): Promise<Mounted> {
  const panel = mount(NAMING);
  await panel.user.click(panel.part('delineate-name'));
  return panel;
}

async function search(panel: Mounted, words: string): Promise<void> {
  await panel.user.type(panel.part('delineate-terminology-search'), words);
  await waitFor(() => expect(panel.has('delineate-terminology-option')).toBe(true));
}

const described = (panel: Mounted) => panel.controller.calls.filter(([name]) => name === 'describeSegment');
const options = (panel: Mounted) => panel.parts('delineate-terminology-option').map(one => one.textContent);

describe('naming', () => {
  it('is a combobox with the focus in it', async () => {
    const { view } = await openNaming();
    const input = view.getByRole('combobox', { name: 'Anatomy or finding' });
    expect(document.activeElement).toBe(input);
    expect(view.getByRole('listbox')).toBeTruthy();
  });

  it('asks the service once for what was typed', async () => {
    const panel = await openNaming();
    await search(panel, 'renal');
    expect(options(panel)).toEqual(['Renal artery', 'Renal pelvis']);
    expect(panel.controller.calls).toEqual([['searchTerminology', 'renal', 'types']]);
  });

  it('names by keyboard alone, and keeps the side apart from the type', async () => {
    const panel = await openNaming();
    await search(panel, 'kid');
    await panel.user.keyboard('{Enter}');
    expect(described(panel)).toEqual([
      [
        'describeSegment',
        3,
        { label: 'Kidney', category: ANATOMY, type: KIDNEY, region: null, laterality: null, colour: [185, 102, 83] },
      ],
    ]);
    expect(panel.part('delineate-naming-chosen').textContent).toBe('Kidney');
    await panel.user.click(panel.part(`delineate-laterality-${LEFT.value}`));
    expect(described(panel)[1]).toEqual(['describeSegment', 3, { laterality: LEFT, label: 'Left kidney' }]);
    expect(panel.parts('delineate-segment-name')[2]?.textContent).toBe('Left kidney');
    await panel.user.click(panel.part('delineate-naming-done'));
    expect(panel.has('delineate-naming')).toBe(false);
  });

  it('goes through the options with the arrow keys', async () => {
    const panel = await openNaming();
    await search(panel, 'renal');
    await panel.user.keyboard('{ArrowDown}{Enter}');
    expect(described(panel)[0]?.[2]).toMatchObject({ label: 'Renal pelvis' });
  });

  it('keeps a label of the user when the side changes', async () => {
    const panel = await openNaming();
    await search(panel, 'kid');
    await panel.user.keyboard('{Enter}');
    await panel.user.clear(panel.part('delineate-label'));
    await panel.user.type(panel.part('delineate-label'), 'Transplant kidney{Enter}');
    await panel.user.click(panel.part(`delineate-laterality-${LEFT.value}`));
    expect(described(panel).slice(1)).toEqual([
      ['describeSegment', 3, { label: 'Transplant kidney' }],
      ['describeSegment', 3, { laterality: LEFT }],
    ]);
  });

  it('says where a finding is, and on which side of that', async () => {
    const panel = await openNaming();
    await search(panel, 'kid');
    await panel.user.keyboard('{Enter}');
    expect(panel.has('delineate-region-search')).toBe(false);
    await search(panel, 'cyst');
    await panel.user.keyboard('{Enter}');
    expect(panel.has('delineate-laterality')).toBe(false);
    await panel.user.type(panel.part('delineate-region-search'), 'kid');
    await waitFor(() => expect(panel.has('delineate-region-option')).toBe(true));
    await panel.user.keyboard('{Enter}');
    await panel.user.click(panel.part(`delineate-laterality-${LEFT.value}`));
    expect(described(panel).slice(2)).toEqual([
      ['describeSegment', 3, { region: KIDNEY, laterality: null, label: 'Cyst, kidney' }],
      ['describeSegment', 3, { laterality: LEFT, label: 'Cyst, left kidney' }],
    ]);
    expect(panel.part('delineate-naming-chosen').textContent).toBe('Cyst, Kidney, Left');
    await panel.user.click(panel.part('delineate-region-remove'));
    expect(described(panel)[4]?.[2]).toEqual({ region: null, laterality: null, label: 'Cyst' });
    expect(panel.has('delineate-laterality')).toBe(false);
  });

  it('does not take an empty label', async () => {
    const panel = await openNaming();
    await panel.user.clear(panel.part('delineate-label'));
    await panel.user.keyboard('{Enter}');
    expect(described(panel)).toEqual([]);
    expect((panel.part('delineate-label') as HTMLInputElement).value).toBe('Segment 3');
  });

  it('keeps the colour of a segment that is renamed', async () => {
    const panel = mount({ ...NAMING, session: { ...NAMING.session!, activeSegment: 2 } });
    await panel.user.click(panel.part('delineate-name'));
    await search(panel, 'liver');
    await panel.user.keyboard('{Enter}');
    expect(described(panel)[0]?.[2]).not.toHaveProperty('colour');
  });

  it('finds the sides of a segment that was named before', async () => {
    const panel = mount({ ...NAMING, session: { ...NAMING.session!, activeSegment: 1 } });
    await panel.user.click(panel.part('delineate-name'));
    await waitFor(() => expect(panel.has('delineate-laterality')).toBe(true));
    expect(panel.controller.calls).toContainEqual(['searchTerminology', 'Lateral Ventricle', 'types']);
    expect(panel.part(`delineate-laterality-${LEFT.value}`)).toHaveProperty('checked', true);
  });

  it('offers what was used and marked before, without a search', async () => {
    const panel = await openNaming();
    await search(panel, 'cyst');
    await panel.user.keyboard('{Enter}');
    await panel.user.click(panel.part('delineate-favourite'));
    await search(panel, 'liver');
    await panel.user.keyboard('{Enter}');
    panel.unmount();

    const again = await openNaming();
    await waitFor(() => expect(options(again)).toEqual(['Cyst', 'Liverrecent']));
    expect(again.controller.calls).toEqual([]);
  });

  it('offers the presets of the site, which name the side as well', async () => {
    const panel = mount(NAMING);
    const transplant = { label: 'Kidney A', category: ANATOMY, type: KIDNEY, lateralities: [], takesRegion: false, colour: null, preset: { region: null, laterality: LEFT } };
    panel.controller.actions.sitePresets = () => Promise.resolve([transplant]);
    await panel.user.click(panel.part('delineate-name'));
    await waitFor(() => expect(options(panel)).toEqual(['Kidney Apreset']));
    await panel.user.keyboard('{Enter}');
    expect(described(panel)[0]?.[2]).toEqual({ label: 'Kidney A', category: ANATOMY, type: KIDNEY, region: null, laterality: LEFT });
  });

  it('says when nothing is found', async () => {
    const panel = await openNaming();
    await panel.user.type(panel.part('delineate-terminology-search'), 'xyz');
    await waitFor(() => expect(panel.part('delineate-terminology-results').textContent).toContain('Nothing found.'));
  });

  it('never offers what was found for another query', async () => {
    const panel = await openNaming();
    await search(panel, 'renal');
    panel.controller.actions.searchTerminology = () => new Promise(() => undefined);
    await panel.user.type(panel.part('delineate-terminology-search'), ' artery');
    expect(options(panel)).toEqual(['Renal artery']);
    await panel.user.type(panel.part('delineate-terminology-search'), ' stenosis{Enter}');
    expect(options(panel)).toEqual([]);
    expect(described(panel)).toEqual([]);
  });

  it('drops the answer to an older query', async () => {
    const panel = await openNaming();
    const [kidney, , , liver] = TERMINOLOGY;
    const answers = new Map<string, (found: readonly (typeof TERMINOLOGY)[number][]) => void>();
    panel.controller.actions.searchTerminology = query => new Promise(resolve => answers.set(query, resolve));
    await panel.user.type(panel.part('delineate-terminology-search'), 'ki');
    await waitFor(() => expect(answers.has('ki')).toBe(true));
    await panel.user.clear(panel.part('delineate-terminology-search'));
    await panel.user.type(panel.part('delineate-terminology-search'), 'li');
    await waitFor(() => expect(answers.has('li')).toBe(true));
    answers.get('li')?.([liver!]);
    answers.get('ki')?.([kidney!]);
    await waitFor(() => expect(options(panel)).toEqual(['Liver']));
  });

  it('closes with Escape, first the list, then the editor', async () => {
    const panel = await openNaming();
    await search(panel, 'kid');
    await panel.user.keyboard('{Escape}');
    expect(panel.has('delineate-terminology-option')).toBe(false);
    expect(panel.has('delineate-naming')).toBe(true);
    await panel.user.keyboard('{Escape}');
    expect(panel.has('delineate-naming')).toBe(false);
  });
});
