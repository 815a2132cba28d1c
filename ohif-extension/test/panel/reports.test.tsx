// @vitest-environment jsdom
import { describe, expect, it } from 'vitest';

import { millimetres, position, squareCentimetres, value } from '../../src/panel/measurementWords';
import type { PanelState } from '../../src/types';
import { IDLE, READY, result, SESSION, STATES, VERSIONS, withSession } from '../panel-harness/states';
import { mount, type Mounted } from './mounted';

const state = (name: string): PanelState => STATES[name] ?? IDLE;

async function unfolded(from: PanelState, name: string): Promise<Mounted> {
  const mounted = mount(from);
  await mounted.user.click(mounted.part(`${name}-toggle`));
  return mounted;
}

describe('measurements', () => {
  it('are asked for when they are looked at, and shown with their units', async () => {
    const { reports } = state('measured');
    const measured = { ...reports!.measured!, unit: 'HU' };
    const { part, controller, has } = await unfolded(
      { ...state('measured'), reports: { ...reports!, measured } },
      'delineate-measurements'
    );
    expect(controller.calls).toEqual([['measure']]);
    const rows = [...part('delineate-measurements-table').querySelectorAll('tr')];
    expect(rows.map(row => [...row.children].map(cell => cell.textContent))).toEqual([
      ['Volume', '12.4 mL'],
      ['Volume inside the mesh', '12.3 mL'],
      ['Surface of the mesh', '184.3 cm²'],
      ['Longest × perpendicular, in one image', '71.2 × 48.1 mm'],
      ['Longest in space', '118.9 mm'],
      ['Centroid (L, P, S)', '17.5, -4.1, 1038.3 mm'],
      ['Mean ± SD', '112.5 ± 31.12 HU'],
      ['Median', '115 HU'],
      ['25th to 75th percentile', '94.25 to 131.8 HU'],
      ['5th to 95th percentile', '61.5 to 158 HU'],
      ['Minimum to maximum', '18 to 1284 HU'],
    ]);
    expect(part('delineate-measure-centroid').textContent).toBe('17.5, -4.1, 1038.3 mm');
    expect(has('delineate-measure')).toBe(false);
  });

  it('of an earlier revision are crossed out, and can be taken again', async () => {
    const { part, user, controller, show } = await unfolded(state('measured'), 'delineate-measurements');
    const [segment] = state('measured').session!.segments;
    show({
      ...state('measured'),
      session: { ...state('measured').session!, segments: [{ ...segment!, revision: segment!.revision + 1 }] },
    });
    expect(part('delineate-measurements-table').dataset.outdated).toBe('true');
    await user.click(part('delineate-measure'));
    expect(controller.calls).toEqual([['measure'], ['measure']]);
  });

  it('say why there is no SUV, and what went wrong', async () => {
    const { reports } = state('measured');
    const measured = { ...reports!.measured!, note: 'No SUV: the weight is missing.' };
    const { part, show } = await unfolded(
      { ...state('measured'), reports: { ...reports!, measured } },
      'delineate-measurements'
    );
    expect(part('delineate-measurements-note').textContent).toContain('the weight is missing');
    const problem = { type: 'archive-timeout', title: 'The archive does not answer', detail: 'Try again.' };
    show({ ...state('measured'), reports: { ...reports!, measured: { ...measured, problem } } });
    expect(part('delineate-measurements-problem').textContent).toContain('The archive does not answer');
  });

  it('of another session are not shown', async () => {
    const other = { ...state('measured'), reports: { ...state('measured').reports!, sessionId: 'another' } };
    const { has } = await unfolded(other, 'delineate-measurements');
    expect(has('delineate-measurements-table')).toBe(false);
  });

  it('are written with few digits', () => {
    expect([millimetres(1.25), squareCentimetres(1234), value(0.123456), value(-1024), value(NaN)]).toEqual([
      '1.3 mm',
      '12.3 cm²',
      '0.1235',
      '-1024',
      '–',
    ]);
    expect(position([-0.04, -12.35, 1250])).toBe('0.0, -12.3, 1250.0 mm');
  });
});

describe('versions', () => {
  it('are listed with who and when, and opened', async () => {
    const { parts, user, controller, view } = await unfolded(state('versions'), 'delineate-versions');
    const [newest, open, first] = parts('delineate-version').map(one => one.textContent);
    expect(newest).toContain('Version 3 · newest');
    expect(newest).toContain('Hopper, Grace');
    expect(newest).toContain('2 segments: Kidney, Mass');
    expect(open).toContain('open here');
    expect(first).toContain('Acme Segmentor');
    expect(parts('delineate-open-version')).toHaveLength(2);
    await user.click(parts('delineate-open-version')[0]!);
    expect(controller.calls).toEqual([['listVersions'], ['openVersion', VERSIONS[0]]]);
    expect(view.getByRole('list', { name: 'Stored segmentations' })).toBeTruthy();
  });

  it('can be looked at before a session is open', async () => {
    const versions = { ...state('versions').versions!, list: [] };
    const { controller, view } = await unfolded({ ...IDLE, versions }, 'delineate-versions');
    expect(controller.calls).toEqual([['listVersions']]);
    expect(view.getByText('The archive holds no segmentation of this series.')).toBeTruthy();
  });

  it('that somebody else has stored meanwhile are a choice', async () => {
    const { part, user, controller } = mount(state('newer-version'));
    expect(part('delineate-newer-versions').getAttribute('role')).toBe('alert');
    expect(part('delineate-newer-versions').textContent).toContain('Hopper, Grace');
    expect(part('delineate-newer-versions').textContent).toContain('your work is kept');
    await user.click(part('delineate-store-beside'));
    await user.click(part('delineate-open-newer'));
    expect(controller.calls).toEqual([['acceptBeside'], ['openVersion', VERSIONS[0]]]);
  });
});

describe('export', () => {
  it('writes the chosen formats, in one order', async () => {
    const { part, user, controller } = await unfolded(READY, 'delineate-export');
    await user.click(part('delineate-format-stl'));
    await user.click(part('delineate-format-csv'));
    await user.click(part('delineate-export-start'));
    expect(controller.calls).toEqual([['exportSegments', ['seg', 'nifti', 'stl']]]);
  });

  it('cannot be started without a format, or while one runs', async () => {
    const { part, user, show } = await unfolded(READY, 'delineate-export');
    const button = () => part('delineate-export-start') as HTMLButtonElement;
    for (const name of ['seg', 'nifti', 'csv']) await user.click(part(`delineate-format-${name}`));
    expect(button().disabled).toBe(true);
    show(state('export-running'));
    expect(button().textContent).toBe('Exporting…');
    expect(part('delineate-export-progress').textContent).toContain('Writing');
  });

  it('says what could not be written', async () => {
    const { part } = await unfolded(state('export-done'), 'delineate-export');
    expect(part('delineate-exported').textContent).toContain('Saved with your downloads');
    expect(part('delineate-exported').textContent).toContain('DICOM SEG, labelmap: Segments 1 and 2 overlap');
  });

  it('names what keeps it', async () => {
    const unnamed = { ...SESSION.segments[0]!, label: '', type: null };
    const { part } = await unfolded(withSession({ segments: [unnamed] }), 'delineate-export');
    expect((part('delineate-export-start') as HTMLButtonElement).disabled).toBe(true);
  });
});

it('a stored result says that its report is missing', () => {
  const { part } = mount(withSession({ result: result('stored', { reportProblem: 'The archive refused it.' }) }));
  expect(part('delineate-report-problem').textContent).toContain('The archive refused it.');
});
