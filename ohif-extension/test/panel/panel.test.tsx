// @vitest-environment jsdom
import { act } from '@testing-library/react';
import axe from 'axe-core';
import { describe, expect, it } from 'vitest';

import { STATES } from '../panel-harness/states';
import { mount } from './mounted';

async function violationsIn(element: HTMLElement): Promise<readonly axe.Result[]> {
  // jsdom has no layout: contrast is measured where the pictures are taken. The page around the panel is the viewer's.
  const rules = { 'color-contrast': { enabled: false }, region: { enabled: false } };
  return act(async () => (await axe.run(element, { rules })).violations);
}

describe('the panel', () => {
  describe.each(Object.entries(STATES))('in the state %s', (_name, state) => {
    it('is accessible, and says that it is no medical device', async () => {
      const { part } = mount(state);
      expect(part('delineate-disclaimer').textContent).toContain(
        'Not a medical device; not for diagnosis or treatment.'
      );
      const violations = await violationsIn(part('delineate-root'));
      expect(violations.map(one => `${one.id}: ${one.nodes.map(node => node.html).join(' ')}`)).toEqual([]);
    });
  });

  it('comes back as it was when it is mounted again', () => {
    const state = STATES['three-segments']!;
    const first = mount(state);
    const before = first.part('delineate-root').textContent;
    first.unmount();
    expect(document.querySelector('[data-cy="delineate-root"]')).toBeNull();
    const second = mount(state, first.controller);
    expect(second.part('delineate-root').textContent).toBe(before);
  });

  it('brings its style sheet once', () => {
    mount(STATES.ready!);
    mount(STATES.ready!);
    expect(document.querySelectorAll('#delineate-panel-style')).toHaveLength(1);
  });

  it('says when the series has become ready', () => {
    const { part, show } = mount(STATES.preloading!);
    show(STATES.ready!);
    expect(part('delineate-announcer').textContent).toBe('The series is ready');
  });
});
