import { describe, expect, it } from 'vitest';
import { withDelineate, type Binding } from '../src/hotkeys';

/** Those of OHIF 3.13.2 that ours meet. */
const OHIF: readonly Binding[] = [
  { commandName: 'setToolActive', commandOptions: { toolName: 'Zoom' }, label: 'Zoom', keys: ['z'] },
  { commandName: 'rotateViewportCW', label: 'Rotate Right', keys: ['r'] },
  { commandName: 'rotateViewportCCW', label: 'Rotate Left', keys: ['l'] },
  { commandName: 'flipViewportVertical', label: 'Flip Vertically', keys: ['v'] },
  { commandName: 'deleteActiveAnnotation', label: 'Delete Annotation', keys: ['backspace'] },
  { commandName: 'undo', label: 'Undo', keys: ['ctrl+z'] },
  { commandName: 'redo', label: 'Redo', keys: ['ctrl+y'] },
  { commandName: 'setToolActive', commandOptions: { toolName: 'CircularEraser' }, label: 'Eraser', keys: ['e'] },
  { commandName: 'setToolActive', commandOptions: { toolName: 'CircularBrush' }, label: 'Brush', keys: ['b'] },
];

const chord = (binding: Binding) => binding.keys.join('+');

describe('withDelineate', () => {
  const all = withDelineate(OHIF);

  it('gives no key to two commands', () => {
    const chords = all.map(chord);
    expect(new Set(chords).size).toBe(chords.length);
  });

  it('moves what OHIF had under our keys to Shift with the same key', () => {
    const moved = Object.fromEntries(all.map(binding => [binding.label, chord(binding)]));
    expect(moved).toMatchObject({
      'Rotate Right': 'shift+r',
      'Rotate Left': 'shift+l',
      'Flip Vertically': 'shift+v',
      Eraser: 'shift+e',
      Brush: 'shift+b',
      Zoom: 'z',
      'Delete Annotation': 'backspace',
    });
  });

  it('has the keys of SlicerNNInteractive', () => {
    const ours = new Map(all.map(binding => [chord(binding), binding.commandName]));
    expect(['p', 'b', 's', 'l', 't', 'e', 'r', 'v', 'del', 'ctrl+z', 'ctrl+y', 'ctrl+shift+z'].map(key => ours.get(key))).toEqual([
      'delineatePoint',
      'delineateBox',
      'delineateScribble',
      'delineateLasso',
      'delineateToggleInclude',
      'delineateNextSegment',
      'delineateResetSegment',
      'delineateToggleVisible',
      'delineateAskDelete',
      'delineateUndo',
      'delineateRedo',
      'delineateRedo',
    ]);
  });

  it('tells the two keys for redo apart, as OHIF keeps one for each command and its options', () => {
    const names = all.map(({ commandName, commandOptions }) => JSON.stringify([commandName, commandOptions ?? {}]));
    expect(new Set(names).size).toBe(names.length);
  });
});
