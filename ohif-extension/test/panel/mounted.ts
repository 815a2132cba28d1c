/** Mounts the panel in jsdom over a hand-made controller. */
import { act, within, type BoundFunctions, type queries } from '@testing-library/react';
import userEvent, { type UserEvent } from '@testing-library/user-event';
import { afterEach } from 'vitest';

import { mountPanel } from '../../src/panel';
import type { PanelState } from '../../src/types';
import { HandMadeController } from '../panel-harness/controller';

// React asks for this before it lets `act` flush its work.
(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
// jsdom has no layout, and so no scrolling.
Element.prototype.scrollIntoView = () => undefined;

const mounted: (() => void)[] = [];

afterEach(() => {
  act(() => mounted.splice(0).forEach(unmount => unmount()));
  document.body.replaceChildren();
  localStorage.clear();
});

export interface Mounted {
  readonly controller: HandMadeController;
  readonly user: UserEvent;
  readonly view: BoundFunctions<typeof queries>;
  readonly unmount: () => void;
  /** The element of this test name; throws when there is none. */
  readonly part: (name: string) => HTMLElement;
  readonly parts: (name: string) => readonly HTMLElement[];
  readonly has: (name: string) => boolean;
  /** Change the state as the session would. */
  readonly show: (state: PanelState) => void;
}

export function mount(state: PanelState, controller = new HandMadeController(state)): Mounted {
  const element = document.body.appendChild(document.createElement('div'));
  let unmount: () => void = () => undefined;
  act(() => {
    unmount = mountPanel(element, controller);
  });
  mounted.push(() => unmount());
  const parts = (name: string) => [...element.querySelectorAll<HTMLElement>(`[data-cy="${name}"]`)];
  return {
    controller,
    user: userEvent.setup({ delay: null }),
    view: within(element),
    unmount: () => act(() => unmount()),
    parts,
    has: name => parts(name).length > 0,
    part: name => {
      const [first] = parts(name);
      if (first === undefined) {
        throw new Error(`The panel has no ${name}. It has: ${element.textContent}`);
      }
      return first;
    },
    show: next => act(() => controller.show(next)),
  };
}
