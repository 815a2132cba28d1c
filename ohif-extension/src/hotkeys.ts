/** Our keys among OHIF's: the ones that users of SlicerNNInteractive know. */

import type { CommandName } from './commandsModule';

/** A key of OHIF's hotkey preferences. */
export interface Binding {
  readonly commandName: string;
  readonly commandOptions?: Readonly<Record<string, unknown>>;
  readonly label: string;
  readonly keys: readonly string[];
  readonly isEditable?: boolean;
}

interface OwnBinding extends Binding {
  readonly commandName: CommandName;
}

const OWN: readonly OwnBinding[] = [
  { commandName: 'delineatePoint', label: 'Delineate: Point', keys: ['p'] },
  { commandName: 'delineateBox', label: 'Delineate: Box', keys: ['b'] },
  { commandName: 'delineateScribble', label: 'Delineate: Scribble', keys: ['s'] },
  { commandName: 'delineateLasso', label: 'Delineate: Lasso', keys: ['l'] },
  { commandName: 'delineateToggleInclude', label: 'Delineate: Include / exclude', keys: ['t'] },
  { commandName: 'delineateNextSegment', label: 'Delineate: Next segment', keys: ['e'] },
  { commandName: 'delineateResetSegment', label: 'Delineate: Reset segment', keys: ['r'] },
  { commandName: 'delineateToggleVisible', label: 'Delineate: Show / hide segment', keys: ['v'] },
  { commandName: 'delineateAskDelete', label: 'Delineate: Delete segment', keys: ['del'] },
  { commandName: 'delineateUndo', label: 'Undo', keys: ['ctrl+z'] },
  { commandName: 'delineateRedo', label: 'Redo', keys: ['ctrl+y'] },
  { commandName: 'delineateRedo', commandOptions: { alternative: true }, label: 'Redo (2)', keys: ['ctrl+shift+z'] },
];

/** Ours do what these do, and more. */
const REPLACED: ReadonlySet<string> = new Set(['undo', 'redo']);

/** All keys of the mode: ours, and OHIF's, of which those that ours would hide move to Shift with the same key. */
export function withDelineate(bindings: readonly Binding[]): Binding[] {
  const taken = new Set(OWN.map(binding => chord(binding.keys)));
  const others = bindings
    .filter(binding => !REPLACED.has(binding.commandName))
    .map(binding => (taken.has(chord(binding.keys)) ? { ...binding, keys: ['shift', ...binding.keys] } : binding));
  return [...OWN.map(binding => ({ ...binding, isEditable: true })), ...others];
}

function chord(keys: readonly string[]): string {
  return keys.join('+').toLowerCase();
}
