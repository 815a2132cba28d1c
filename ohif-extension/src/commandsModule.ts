/** What Delineate can do, as named commands of the viewer: for its hotkeys, toolbars and other extensions. */

import { refusedKinds } from './panel/availability';
import type { Actions, Controller, PromptKind, SearchAmong, SegmentState, Settings, StoredSegmentation } from './types';

/** What some commands need; the viewer's hotkeys add an event that none of ours wants. */
export interface CommandOptions {
  readonly number?: number;
  readonly key?: string;
  readonly sessionId?: string;
  readonly query?: string;
  readonly among?: SearchAmong;
  readonly segmentation?: StoredSegmentation;
  readonly include?: boolean;
  readonly visible?: boolean;
  readonly changes?: Parameters<Actions['describeSegment']>[1] & Partial<Settings>;
}

/** The viewer's own undo history, on which our steps lie too. */
export interface ViewerHistory {
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  undo(): void;
  redo(): void;
}

type Command = (controller: Controller, options: CommandOptions, history: ViewerHistory) => unknown;

const commands = {
  delineatePoint: controller => toggleTool(controller, 'point'),
  delineateBox: controller => toggleTool(controller, 'box'),
  delineateScribble: controller => toggleTool(controller, 'scribble'),
  delineateLasso: controller => toggleTool(controller, 'lasso'),
  delineateNoTool: ({ actions }) => actions.setTool(null),
  delineateToggleInclude: controller => controller.actions.setInclude(!controller.getState().include),
  delineateSetInclude: ({ actions }, { include = true }) => actions.setInclude(include),
  delineateStart: ({ actions }) => actions.start(),
  delineateStartVolume: ({ actions }, { key }) => actions.startVolume(needed('key', key)),
  delineateResume: ({ actions }, { sessionId }) => actions.resume(needed('sessionId', sessionId)),
  delineateOpenStored: ({ actions }, { segmentation }) => actions.openStored(needed('segmentation', segmentation)),
  delineateClose: ({ actions }) => actions.close(),
  delineateTurnToNearestSlicePlane: ({ actions }) => actions.turnToNearestSlicePlane(),
  delineateAddSegment: ({ actions }) => actions.addSegment(),
  delineateNextSegment: ({ actions }) => actions.nextSegment(),
  delineateSelectSegment: ({ actions }, { number }) => actions.selectSegment(needed('number', number)),
  delineateDescribeSegment: (controller, { number, changes = {} }) =>
    onSegment(controller, number, segment => controller.actions.describeSegment(segment.number, changes)),
  delineateToggleVisible: (controller, { number }) =>
    onSegment(controller, number, segment => controller.actions.setVisible(segment.number, !segment.visible)),
  delineateTogglePrompts: controller =>
    controller.actions.setPromptsVisible(!controller.getState().promptsVisible),
  delineateAskDelete: (controller, { number }) =>
    onSegment(controller, number, segment => controller.actions.askDelete(segment.number)),
  delineateDeleteSegment: (controller, { number }) =>
    onSegment(controller, number, segment => controller.actions.askDelete(segment.locked ? null : segment.number)),
  delineateResetSegment: (controller, { number }) =>
    onSegment(controller, number, segment => controller.actions.resetSegment(segment.number)),
  delineateUndo: ({ actions }, _, history) => (history.canUndo ? history.undo() : actions.undo()),
  delineateRedo: ({ actions }, _, history) => (history.canRedo ? history.redo() : actions.redo()),
  delineateRun: ({ actions }) => actions.run(),
  delineateAccept: ({ actions }) => actions.accept(),
  delineateRetryAccept: ({ actions }) => actions.retryAccept(),
  delineateShowResult: ({ actions }) => actions.showResult(),
  delineateSearchTerminology: ({ actions }, { query, among = 'types' }) =>
    actions.searchTerminology(needed('query', query), among),
  delineateChangeSettings: ({ actions }, { changes = {} }) => actions.changeSettings(changes),
  delineateReconnect: ({ actions }) => actions.reconnect(),
  delineateDismissProblem: ({ actions }) => actions.dismissProblem(),
} satisfies Record<string, Command>;

export type CommandName = keyof typeof commands;

/** OHIF's commands module; `controller` and `history` are asked for when a command runs. */
export function commandsModule(controller: () => Controller, history: () => ViewerHistory) {
  const definitions = Object.fromEntries(
    Object.entries<Command>(commands).map(([name, command]) => [
      name,
      { commandFn: (options: CommandOptions = {}) => command(controller(), options, history()) },
    ])
  );
  return { definitions, defaultContext: 'DEFAULT' };
}

/** Pressing a tool's key again gives the mouse back; a kind that the model does not take here is not armed. */
function toggleTool(controller: Controller, kind: PromptKind): void {
  const state = controller.getState();
  const { never, here } = refusedKinds(state);
  if (state.tool === kind) controller.actions.setTool(null);
  // As its button, which says why.
  else if (![...never, ...here].includes(kind)) controller.actions.setTool(kind);
}

/** Of the segment named, or else the active one; without either there is nothing to do. */
function onSegment(controller: Controller, number: number | undefined, act: (segment: SegmentState) => unknown): unknown {
  const { session } = controller.getState();
  const wanted = number ?? session?.activeSegment;
  const segment = session?.segments.find(candidate => candidate.number === wanted);
  return segment === undefined ? undefined : act(segment);
}

function needed<Value>(name: string, value: Value | undefined): Value {
  if (value === undefined) throw new Error(`This command needs the option "${name}".`);
  return value;
}
