import { describe, expect, it, vi } from 'vitest';
import { commandsModule, type CommandName } from '../src/commandsModule';
import { withDelineate } from '../src/hotkeys';
import type { Controller, PanelState } from '../src/types';

const SEGMENT = { number: 2, visible: true };
const MODEL = { prompts: ['point', 'box', 'scribble'], obliquePrompts: ['point'] };
const STATE = { model: MODEL, plane: 'aligned', tool: 'box', include: true, promptsVisible: true, session: { activeSegment: 2, segments: [SEGMENT] } };

/** A controller that only notes which actions are called, and one that needs its own `this`. */
function controllerWith(state: object) {
  const calls: unknown[][] = [];
  const note = (_: object, name: string) => (...given: unknown[]) => void calls.push([name, ...given]);
  class Noting {
    readonly actions = new Proxy({}, { get: note });
    getState() {
      return (this.actions, state) as PanelState;
    }
  }
  return { calls, controller: new Noting() as unknown as Controller };
}

function run(name: CommandName, options?: object, state: object = STATE, history = { canUndo: false, canRedo: false }) {
  const { calls, controller } = controllerWith(state);
  const both = { ...history, undo: () => calls.push(['viewer undo']), redo: () => calls.push(['viewer redo']) };
  commandsModule(() => controller, () => both).definitions[name]?.commandFn(options);
  return calls;
}

describe('commands', () => {
  it('has every command that a key is bound to', () => {
    const { definitions } = commandsModule(vi.fn(), vi.fn());
    expect(withDelineate([]).filter(({ commandName }) => !(commandName in definitions))).toEqual([]);
  });

  it('arms a tool, and gives the mouse back when its key is pressed again', () => {
    expect(run('delineatePoint')).toEqual([['setTool', 'point']]);
    expect(run('delineateBox')).toEqual([['setTool', null]]);
  });

  it('arms no kind that the model does not take, anywhere or on this plane', () => {
    expect(run('delineateScribble')).toEqual([['setTool', 'scribble']]);
    expect(run('delineateLasso')).toEqual([]);
    const oblique = { ...STATE, plane: 'oblique' };
    expect(run('delineateScribble', {}, oblique)).toEqual([]);
    expect(run('delineatePoint', {}, oblique)).toEqual([['setTool', 'point']]);
    expect(run('delineateBox', {}, oblique)).toEqual([['setTool', null]]);
  });

  it('turns include into exclude', () => {
    expect(run('delineateToggleInclude')).toEqual([['setInclude', false]]);
  });

  it('acts on the active segment, or on the one named', () => {
    expect(run('delineateResetSegment', { evt: {} })).toEqual([['resetSegment', 2]]);
    expect(run('delineateToggleVisible')).toEqual([['setVisible', 2, false]]);
    expect(run('delineateAskDelete', { number: 2 })).toEqual([['askDelete', 2]]);
    expect(run('delineateAskDelete', { number: 7 })).toEqual([]);
    expect(run('delineateAskDelete', {}, { session: null })).toEqual([]);
  });

  it("undoes by the viewer's history while that has something, then by the session's", () => {
    const full = { canUndo: true, canRedo: true };
    expect(run('delineateUndo', {}, STATE, full)).toEqual([['viewer undo']]);
    expect(run('delineateRedo', {}, STATE, full)).toEqual([['viewer redo']]);
    expect(run('delineateUndo')).toEqual([['undo']]);
    expect(run('delineateRedo')).toEqual([['redo']]);
  });

  it('names the option that it lacks', () => {
    expect(() => run('delineateResume')).toThrow('sessionId');
  });
});
