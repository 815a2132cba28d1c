// @vitest-environment jsdom
import { act } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { IDLE, NOW, READY, result, STATES, withSession } from '../panel-harness/states';
import { mount } from './mounted';

const state = (name: string) => STATES[name] ?? IDLE;
const disabled = (element: HTMLElement) => (element as HTMLButtonElement).disabled;

afterEach(() => vi.useRealTimers());

describe('accept', () => {
  it('says what it stores, and stores', async () => {
    const { part, user, controller } = mount(READY);
    expect(part('delineate-accept').textContent).toBe('Accept: store 1 segment');
    expect(part('delineate-accept-section').textContent).toContain('Stores a DICOM segmentation, not a signed report.');
    expect(document.getElementById(part('delineate-accept').getAttribute('aria-describedby')!)?.textContent).toContain(
      'not a signed report'
    );
    await user.click(part('delineate-accept'));
    expect(controller.calls).toEqual([['accept']]);
  });

  it('names what keeps it, and leads there', async () => {
    const { part, parts, user, controller, has } = mount(state('problems'));
    expect(disabled(part('delineate-accept'))).toBe(true);
    expect(part('delineate-hindrances').textContent).toContain('Empty: Segment 3');
    await user.click(parts('delineate-cure-delete')[1]!);
    expect(controller.calls).toEqual([['selectSegment', 3]]);
    expect(has('delineate-delete-confirmation')).toBe(true);
  });

  it('opens the picker of a segment without a coded name', async () => {
    const unnamed = { ...READY.session!.segments[0]!, number: 2, label: 'Segment 2', type: null };
    const { part, user, has } = mount(withSession({ segments: [...READY.session!.segments, unnamed] }));
    await user.click(part('delineate-cure-name'));
    expect(has('delineate-naming')).toBe(true);
    expect(part('delineate-segment-tools').querySelector('[role=toolbar]')?.getAttribute('aria-label')).toBe(
      'Tools of Segment 2'
    );
  });

  it.each(['encoding', 'storing', 'verifying'] as const)('shows the step %s and cannot be pressed again', step => {
    const { part, view } = mount(withSession({ result: result(step) }));
    expect(part('delineate-result').dataset.state).toBe(step);
    expect(view.getByText(step.charAt(0).toUpperCase() + step.slice(1)).getAttribute('aria-current')).toBe('step');
    expect(disabled(part('delineate-accept'))).toBe(true);
  });

  it('says that it is stored and verified, shows it, and takes a new version', async () => {
    const { part, user, controller } = mount(state('accept-stored'));
    expect(part('delineate-stored-result').textContent).toContain(
      'Read back from the archive and equal to what was accepted.'
    );
    await user.click(part('delineate-show-result'));
    await user.click(part('delineate-accept'));
    expect(part('delineate-accept').textContent).toBe('Accept: store a new version');
    expect(controller.calls).toEqual([['showResult'], ['accept']]);
  });

  it('says why it waits and counts down to the next try, and tries now', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'], now: NOW * 1000 });
    const { part, user, controller, show } = mount(state('accept-waiting'));
    expect(part('delineate-waiting-result').textContent).toContain('The archive does not answer (connection refused).');
    expect(part('delineate-waiting-result').textContent).toContain('Nothing is lost. Next try in 90 s.');
    act(() => {
      vi.advanceTimersByTime(5000);
    });
    expect(part('delineate-waiting-result').textContent).toContain('Next try in 85 s.');
    await user.click(part('delineate-retry-accept'));
    expect(controller.calls).toEqual([['retryAccept']]);
    show(withSession({ result: result('waiting') }));
    expect(part('delineate-waiting-result').textContent).toContain('It is tried again by itself.');
  });

  it('says why it failed, and can be tried again', async () => {
    const { part, user, controller } = mount(state('accept-failed'));
    expect(part('delineate-failed-result').getAttribute('role')).toBe('alert');
    expect(part('delineate-failed-result').textContent).toContain('out of resources');
    expect(part('delineate-failed-result').textContent).toContain('Nothing is lost.');
    await user.click(part('delineate-retry-accept'));
    expect(controller.calls).toEqual([['retryAccept']]);
    expect(disabled(part('delineate-accept'))).toBe(false);
  });

  it('tells a screen reader each state', () => {
    const { part, show } = mount(READY);
    show(withSession({ result: result('storing') }));
    expect(part('delineate-announcer').textContent).toBe('Storing the segmentation');
    show(withSession({ result: result('stored') }));
    expect(part('delineate-announcer').textContent).toBe('The segmentation is stored');
    show(withSession({ result: result('stored') }, { connection: 'offline' }));
    expect(part('delineate-announcer').textContent).toBe('Connection lost; nothing is lost');
  });
});
