// @vitest-environment jsdom
import { act, fireEvent } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { IDLE, NOW, STATES } from '../panel-harness/states';
import { mount } from './mounted';

const state = (name: string) => STATES[name] ?? IDLE;

afterEach(() => vi.useRealTimers());

describe('header', () => {
  it('names patient, study, series, connection and model', () => {
    const { part } = mount(IDLE);
    expect(part('delineate-patient').textContent).toBe('Okonkwo, Adaeze M');
    expect(part('delineate-study').textContent).toBe('ID MRN-0047113 · 2026-11-02 · MRI head');
    expect(part('delineate-series').textContent).toBe('MR · T1 MPRAGE sagittal, isotropic · 189 images');
    expect(part('delineate-connection').textContent).toBe('Online');
    expect(part('delineate-model-demo').textContent).toBe('Demo model');
    expect(part('delineate-model-licence').textContent).toBe('Licence: Apache-2.0');
  });

  it('calls only the demo model a demo model', () => {
    const { has, part } = mount(state('official-model'));
    expect(has('delineate-model-demo')).toBe(false);
    expect(part('delineate-model-licence').textContent).toContain('CC BY-NC-SA 4.0');
  });

  it('shows the series of the session even when another is in the active viewport', () => {
    const ready = state('three-segments');
    const { part } = mount({ ...ready, series: { ...state('ready').series!, description: 'Another one' } });
    expect(part('delineate-series').textContent).toContain('T1 MPRAGE');
  });

  it('says that the service is down, and tries again on demand', async () => {
    const { part, user, controller } = mount(state('service-down'));
    expect(part('delineate-connection-problem').getAttribute('role')).toBe('alert');
    expect(part('delineate-connection-problem').textContent).toContain('does not answer');
    expect(part('delineate-start')).toHaveProperty('disabled', true);
    await user.click(part('delineate-reconnect'));
    expect(controller.calls).toEqual([['reconnect']]);
  });

  it('says so in its own words when the connection is lost without a reason', () => {
    const { part } = mount({ ...IDLE, connection: 'offline' });
    expect(part('delineate-connection-problem').textContent).toContain('Nothing is lost');
  });

  it('says why there is no model, and that the administrator can help', () => {
    const { part } = mount(state('model-missing'));
    expect(part('delineate-connection-problem').textContent).toContain(
      "The administrator has to accept the model's licence."
    );
    expect(part('delineate-start')).toHaveProperty('disabled', true);
  });

  it('notices a missing model without a reason', () => {
    const { part } = mount({ ...IDLE, model: null });
    expect(part('delineate-model-missing').textContent).toContain('no model is installed');
  });
});

describe('before a session', () => {
  it('asks for a viewport with a series when there is none', () => {
    const { part, has } = mount(state('no-series'));
    expect(part('delineate-no-series').textContent).toContain('Select a viewport');
    expect(has('delineate-start')).toBe(false);
  });

  it('shows the true fraction of preloading', () => {
    const { part, view, has } = mount(state('preloading'));
    expect(part('delineate-preload').textContent).toBe('Preparing the series74 of 189');
    expect(view.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('39');
    expect(has('delineate-preload-ready')).toBe(false);
  });

  it('shows progress without a number while the series waits', () => {
    const { view } = mount({ ...IDLE, preload: { state: 'waiting', done: 0, total: 0, problem: null } });
    expect(view.getByRole('progressbar', { name: 'Waiting to be prepared' }).hasAttribute('aria-valuenow')).toBe(false);
  });

  it('says when the series is ready, and starts', async () => {
    const { part, user, controller } = mount(state('ready'));
    expect(part('delineate-preload-ready').textContent).toBe('Ready');
    await user.click(part('delineate-start'));
    expect(controller.calls).toEqual([['start']]);
  });

  it('starts once when clicked twice', async () => {
    const { part, user, controller } = mount(IDLE);
    let opened: () => void = () => undefined;
    controller.actions.start = () => {
      controller.calls.push(['start']);
      return new Promise(resolve => (opened = resolve));
    };
    await user.dblClick(part('delineate-start'));
    expect(controller.calls).toEqual([['start']]);
    expect(part('delineate-start').textContent).toBe('Starting…');
    await act(async () => {
      opened();
      await Promise.resolve();
    });
    expect(part('delineate-start').textContent).toBe('Start');
  });

  it('says why a series cannot be segmented and what to do', () => {
    const { part } = mount(state('series-refused'));
    const words = part('delineate-preload-problem').textContent;
    expect(words).toContain('gantry tilt');
    expect(words).toContain('12.5 degrees');
    expect(words).toContain('Choose a series without gantry tilt');
  });

  it('has the prompts at hand, since drawing one starts', async () => {
    const { part, has, user, controller } = mount(IDLE);
    await user.click(part('delineate-tool-point'));
    expect(controller.calls).toEqual([['setTool', 'point']]);
    expect(has('delineate-undo')).toBe(false);
    expect(part('delineate-status').textContent).toBe('Pick a prompt, then draw in the image.');
  });

  it.each(['no-series', 'service-down', 'model-missing', 'series-refused'])(
    'offers no prompts in the state %s',
    name => {
      expect(mount(state(name)).has('delineate-prompts')).toBe(false);
    }
  );

  it('passes on what the viewer has to say, until it is dismissed', async () => {
    const { part, user, controller } = mount({ ...IDLE, notice: 'Open the series of this session first.' });
    expect(part('delineate-notice').textContent).toBe('Open the series of this session first.');
    await user.click(part('delineate-notice-dismiss'));
    expect(controller.calls).toEqual([['dismissProblem']]);
  });

  it('says that prompts of an earlier visit are kept', () => {
    const { part } = mount(state('resume-unsent'));
    expect(part('delineate-unsent').textContent).toContain('2 prompts kept in this browser. Continue the session');
  });

  it('offers to continue, this series first', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: NOW * 1000 });
    const resumable = [...state('resume-offered').resumable].reverse();
    const { parts, part, user, controller } = mount({ ...state('resume-offered'), resumable });
    expect(parts('delineate-resumable')[0]?.textContent).toContain(
      'Left lateral ventricle, Right lateral ventricle, Mass'
    );
    expect(parts('delineate-resumable')[0]?.textContent).toContain('13 min ago');
    expect(parts('delineate-resumable')[1]?.textContent).toContain('another series of this study');
    expect(part('delineate-start').textContent).toBe('Start a new session');
    await user.click(parts('delineate-resume')[1]!);
    expect(controller.calls).toEqual([['resume', 'b']]);
  });

  it('asks which volume', async () => {
    const { part, parts, has, user, controller } = mount(state('volume-choice'));
    expect(has('delineate-start')).toBe(false);
    expect(part('delineate-tool-point')).toHaveProperty('disabled', true);
    expect(part('delineate-status').textContent).toBe('Choose a volume first.');
    await user.click(parts('delineate-volume-choice')[1]!);
    expect(controller.calls).toEqual([['startVolume', 'b500']]);
  });

  it('opens a stored segmentation', async () => {
    const { parts, user, controller } = mount(state('resume-offered'));
    await user.click(parts('delineate-open-stored')[0]!);
    expect(controller.calls).toEqual([['openStored', state('resume-offered').storedSegmentations[0]]]);
  });
});

describe('settings', () => {
  it('changes the mode', async () => {
    const { part, user, controller } = mount(IDLE);
    await user.click(part('delineate-mode-collect'));
    expect(controller.calls).toEqual([['changeSettings', { mode: 'collect' }]]);
    expect(part('delineate-mode-collect')).toHaveProperty('checked', true);
  });

  it('takes an address when it is finished, and refuses what is none', async () => {
    const { part, user, controller } = mount(IDLE);
    await user.type(part('delineate-service-url'), 'ftp://x{Enter}');
    expect(part('delineate-service-url').getAttribute('aria-invalid')).toBe('true');
    expect(controller.calls).toEqual([]);
    await user.clear(part('delineate-service-url'));
    await user.type(part('delineate-service-url'), ' https://pacs.example.org/delineate {Enter}');
    expect(controller.calls).toEqual([['changeSettings', { serviceUrl: 'https://pacs.example.org/delineate' }]]);
  });

  it('changes the colours of the prompts when one is settled on', () => {
    const { part, controller } = mount(IDLE);
    const input = part('delineate-exclude-colour') as HTMLInputElement;
    input.value = '#ff8000';
    fireEvent(input, new Event('input', { bubbles: true }));
    expect(controller.calls).toEqual([]);
    fireEvent(input, new Event('change', { bubbles: true }));
    expect(controller.calls).toEqual([['changeSettings', { excludeColour: [255, 128, 0] }]]);
  });
});
