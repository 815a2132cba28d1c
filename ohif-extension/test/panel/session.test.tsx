// @vitest-environment jsdom
import { describe, expect, it } from 'vitest';

import { IDLE, READY, SEGMENT, STATES, withSession } from '../panel-harness/states';
import { mount } from './mounted';

const state = (name: string) => STATES[name] ?? IDLE;
const disabled = (element: HTMLElement) => (element as HTMLButtonElement).disabled;

describe('prompts', () => {
  it('arms a tool, and gives the mouse back when it is pressed again', async () => {
    const { part, user, controller } = mount(READY);
    expect(part('delineate-tool-point').getAttribute('aria-pressed')).toBe('true');
    await user.click(part('delineate-tool-lasso'));
    await user.click(part('delineate-tool-point'));
    expect(controller.calls).toEqual([
      ['setTool', 'lasso'],
      ['setTool', null],
    ]);
  });

  it('names the keys', () => {
    const { part } = mount(READY);
    const titles = ['point', 'box', 'scribble', 'lasso'].map(kind => part(`delineate-tool-${kind}`).title);
    expect(titles).toEqual(['Point (P)', 'Box (B)', 'Scribble (S)', 'Lasso (L)']);
    expect(part('delineate-undo').title).toBe('Undo (Ctrl+Z)');
    expect(part('delineate-redo').title).toBe('Redo (Ctrl+Shift+Z)');
    expect(part('delineate-next').title).toBe('Next segment (E)');
    expect(part('delineate-reset').title).toContain('(R)');
    expect(part('delineate-delete').title).toContain('(Delete)');
    expect(part('delineate-segment-visible').title).toContain('(V)');
  });

  it('switches between include and exclude, by radio buttons', async () => {
    const { part, user, controller } = mount(READY);
    await user.click(part('delineate-include-no'));
    expect(controller.calls).toEqual([['setInclude', false]]);
    expect(part('delineate-include-yes')).toHaveProperty('name', part('delineate-include-no').getAttribute('name'));
  });

  it('disables on an oblique plane what the model does not take there, says why and turns', async () => {
    const { part, user, controller } = mount(state('oblique'));
    expect(disabled(part('delineate-tool-point'))).toBe(false);
    expect(disabled(part('delineate-tool-scribble'))).toBe(false);
    expect(disabled(part('delineate-tool-box'))).toBe(true);
    expect(disabled(part('delineate-tool-lasso'))).toBe(true);
    expect(part('delineate-tool-box').title).toBe('Box (B): The model does not take this kind on an oblique plane.');
    expect(part('delineate-oblique').textContent).toContain('Box and lasso do not work well enough here');
    await user.click(part('delineate-turn'));
    expect(controller.calls).toEqual([['turnToNearestSlicePlane']]);
  });

  it('disables drawing in a locked segment and unlocks it', async () => {
    const { part, user, controller } = mount(state('locked'));
    expect(disabled(part('delineate-tool-point'))).toBe(true);
    expect(disabled(part('delineate-undo'))).toBe(true);
    expect(part('delineate-status').textContent).toContain('Right hippocampus is locked.');
    await user.click(part('delineate-status-unlock'));
    expect(controller.calls).toEqual([['describeSegment', 3, { locked: false }]]);
    expect(disabled(part('delineate-tool-point'))).toBe(false);
  });

  it('undoes and redoes where there is something to', async () => {
    const { part, user, controller, show } = mount(
      withSession({ segments: [{ ...SEGMENT, canUndo: true, canRedo: true }] })
    );
    await user.click(part('delineate-undo'));
    await user.click(part('delineate-redo'));
    expect(controller.calls).toEqual([['undo'], ['redo']]);
    show(withSession({ segments: [{ ...SEGMENT, canUndo: false, canRedo: false }] }));
    expect(disabled(part('delineate-undo'))).toBe(true);
    expect(disabled(part('delineate-redo'))).toBe(true);
    // A prompt that still runs can be taken back.
    show(withSession({ segments: [{ ...SEGMENT, canUndo: false, running: 1 }] }));
    expect(disabled(part('delineate-undo'))).toBe(false);
  });

  it('says what runs and how many are ahead', () => {
    const { part, show } = mount(withSession({ segments: [{ ...SEGMENT, running: 2 }] }));
    expect(part('delineate-status').textContent).toBe('Running 2 prompts…');
    expect(part('delineate-status').dataset.busy).toBe('true');
    show(withSession({ segments: [{ ...SEGMENT, running: 1, queuePosition: 3 }] }));
    expect(part('delineate-status').textContent).toBe('Waiting: 3 model runs of others ahead');
    expect(part('delineate-segment-status').textContent).toBe('Queued, 3 ahead');
    show(
      withSession({
        segments: [
          { ...SEGMENT, running: 1, queuePosition: 3 },
          { ...SEGMENT, number: 2, running: 1 },
        ],
      })
    );
    expect(part('delineate-status').textContent).toBe('Running 2 prompts…');
    show(READY);
    expect(part('delineate-status').textContent).toBe('Click in the image to include tissue.');
  });

  it('runs collected prompts on demand', async () => {
    const { part, user, controller, show, has } = mount(state('collect'));
    expect(part('delineate-run').textContent).toBe('Run 3 prompts');
    await user.click(part('delineate-run'));
    expect(controller.calls).toEqual([['run']]);
    show({ ...READY, settings: { ...READY.settings, mode: 'collect' } });
    expect(disabled(part('delineate-run'))).toBe(true);
    show(READY);
    expect(has('delineate-run')).toBe(false);
  });

  it('keeps prompts while offline and says that nothing is lost', () => {
    const { part } = mount(state('offline'));
    expect(part('delineate-unsent').textContent).toContain('3 prompts not sent yet. Nothing is lost');
    expect(disabled(part('delineate-tool-point'))).toBe(false);
    expect(disabled(part('delineate-accept'))).toBe(true);
  });

  it('hides and shows the prompts', async () => {
    const { part, user, controller, show } = mount(READY);
    await user.click(part('delineate-prompts-visible'));
    show({ ...READY, promptsVisible: false });
    expect(part('delineate-prompts-visible').getAttribute('aria-label')).toBe('Show the prompts');
    await user.click(part('delineate-prompts-visible'));
    expect(controller.calls).toEqual([
      ['setPromptsVisible', false],
      ['setPromptsVisible', true],
    ]);
  });
});

describe('segments', () => {
  it('lists names, codes, volumes and states', () => {
    const { parts } = mount(state('three-segments'));
    const texts = (name: string) => parts(name).map(one => one.textContent);
    expect(texts('delineate-segment-name')).toEqual([
      'Left lateral ventricle',
      'Enhancing mass with surrounding oedema, right frontal lobe',
      'Right hippocampus',
    ]);
    expect(texts('delineate-segment-status')).toEqual(['Running', 'Queued, 3 ahead', 'Hippocampus, Right']);
    expect(texts('delineate-segment-volume')).toEqual(['12.4 mL', '148 mL', '3.40 mL']);
    expect(parts('delineate-segment-select').map(one => one.getAttribute('aria-current'))).toEqual([
      null,
      'true',
      null,
    ]);
  });

  it('follows the volume live', () => {
    const { part, show } = mount(READY);
    show(withSession({ segments: [{ ...SEGMENT, volumeMl: 13.07, revision: 5 }] }));
    expect(part('delineate-segment-volume').textContent).toBe('13.1 mL');
    expect(part('delineate-announcer').textContent).toBe('Left lateral ventricle: 13.1 mL');
  });

  it('adds, goes on, selects, hides, locks and resets', async () => {
    const { part, parts, user, controller } = mount(state('three-segments'));
    await user.click(part('delineate-add'));
    await user.click(part('delineate-next'));
    await user.click(parts('delineate-segment-select')[0]!);
    await user.click(parts('delineate-segment-visible')[2]!);
    await user.click(parts('delineate-segment-lock')[0]!);
    await user.click(parts('delineate-segment-lock')[0]!);
    await user.click(part('delineate-reset'));
    expect(controller.calls).toEqual([
      ['addSegment'],
      ['nextSegment'],
      ['selectSegment', 1],
      ['setVisible', 3, true],
      ['describeSegment', 1, { locked: true }],
      ['describeSegment', 1, { locked: false }],
      ['resetSegment', 1],
    ]);
  });

  it('asks before it deletes, without a dialog, and keeps on request or Escape', async () => {
    const { part, has, user, controller } = mount(READY);
    await user.click(part('delineate-delete'));
    expect(part('delineate-delete-confirmation').textContent).toContain('Delete Left lateral ventricle?');
    expect(controller.calls).toEqual([]);
    await user.click(part('delineate-delete-keep'));
    expect(has('delineate-delete-confirmation')).toBe(false);
    await user.click(part('delineate-delete'));
    await user.keyboard('{Escape}');
    expect(has('delineate-delete-confirmation')).toBe(false);
    await user.click(part('delineate-delete'));
    expect(document.activeElement).toBe(part('delineate-delete-confirm'));
    await user.keyboard('{Enter}');
    expect(controller.calls).toEqual([['deleteSegment', 1]]);
  });

  it('drops the question when another segment is chosen', async () => {
    const { part, parts, has, user } = mount(state('three-segments'));
    await user.click(part('delineate-delete'));
    await user.click(parts('delineate-segment-select')[0]!);
    expect(has('delineate-delete-confirmation')).toBe(false);
  });

  it('chooses a colour', async () => {
    const { part, user, controller, view } = mount(READY);
    await user.click(part('delineate-colour'));
    await user.click(view.getByRole('button', { name: 'Teal' }));
    expect(controller.calls).toEqual([['describeSegment', 1, { colour: [50, 190, 180] }]]);
    expect(view.getByRole('button', { name: 'Teal' }).getAttribute('aria-pressed')).toBe('true');
  });

  it('shows a problem at its segment, with what to do', async () => {
    const { part, user, controller } = mount(state('problems'));
    expect(part('delineate-segment-problem').textContent).toContain('Draw inside the image');
    expect(part('delineate-segment-problem').closest('[data-number]')?.getAttribute('data-number')).toBe('1');
    expect(part('delineate-session-problem').textContent).toContain('Draw again.');
    expect(part('delineate-notice').textContent).toContain('taken by its position');
    await user.click(part('delineate-segment-problem-dismiss'));
    expect(controller.calls).toEqual([['dismissProblem']]);
  });
});

describe('a session', () => {
  it('shows progress while its volume is loaded', () => {
    const { part, has } = mount(state('loading'));
    expect(part('delineate-preload').textContent).toContain('120 of 189');
    expect(disabled(part('delineate-tool-point'))).toBe(false);
    expect(has('delineate-accept')).toBe(false);
  });

  it('offers no change to a segmentation that is open for reading only', () => {
    const { part, has } = mount(state('read-only'));
    expect(part('delineate-read-only').textContent).toContain('another grid');
    expect(has('delineate-prompts')).toBe(false);
    expect(has('delineate-add')).toBe(false);
    expect(has('delineate-segment-tools')).toBe(false);
    expect(has('delineate-accept')).toBe(false);
    expect(has('delineate-segment-visible')).toBe(true);
  });

  it('says why it failed, and goes back', async () => {
    const { part, user, controller } = mount(state('session-failed'));
    expect(part('delineate-session-problem').textContent).toContain('Start a new session.');
    await user.click(part('delineate-close'));
    expect(controller.calls).toEqual([['close']]);
  });

  it('is left without a question, since it can be continued', async () => {
    const { part, user, controller } = mount(READY);
    expect(part('delineate-close').title).toContain('can be continued later');
    await user.click(part('delineate-close'));
    expect(controller.calls).toEqual([['close']]);
  });

  it('says that it has ended, and goes back', async () => {
    const { part, has, user, controller } = mount(withSession({ state: 'closed' }));
    expect(part('delineate-session-ended').textContent).toContain('The session has ended.');
    expect(has('delineate-prompts')).toBe(false);
    await user.click(part('delineate-close'));
    expect(controller.calls).toEqual([['close']]);
  });
});
