/** The prompt tools: what to draw with, include or exclude, undo and redo, run. */
import type { ReactElement } from 'react';

import { PROMPT_KINDS, type Connection, type PanelState, type PromptKind, type SessionState } from '../types';
import { activeSegment, kindsDo, refusedKinds, whyNoDrawing } from './availability';
import { useActions, usePending } from './controller';
import { Button, Choice, IconButton, Notice, Section, Spinner } from './controls';
import { Icon } from './icons';
import { count, drawingHint, hex, KIND_KEYS, KIND_NAMES } from './words';

interface Props {
  readonly state: PanelState;
  /** Null before there is one. */
  readonly session: SessionState | null;
}

export function Prompts({ state, session }: Props): ReactElement {
  const hindrance = whyNoDrawing(state, session);
  return (
    <Section
      title="Prompts"
      testId="delineate-prompts"
      actions={session && <History state={state} session={session} />}
    >
      <Tools state={state} hindrance={hindrance} />
      <IncludeChoice state={state} disabled={hindrance !== null} />
      <StatusLine state={state} session={session} hindrance={hindrance} />
      <RunCollected state={state} session={session} />
      <ObliqueNotice state={state} />
      <Unsent state={state} />
    </Section>
  );
}

function History({ state, session }: { readonly state: PanelState; readonly session: SessionState }): ReactElement {
  const actions = useActions();
  const active = activeSegment(session);
  const writable = active !== null && !active.locked;
  const pendingPrompts = active !== null && active.running + active.collected > 0;
  return (
    <>
      <IconButton
        icon={state.promptsVisible ? 'show' : 'hide'}
        label={state.promptsVisible ? 'Hide the prompts' : 'Show the prompts'}
        testId="delineate-prompts-visible"
        aria-pressed={state.promptsVisible}
        onClick={() => actions.setPromptsVisible(!state.promptsVisible)}
      />
      <IconButton
        icon="undo"
        label="Undo"
        keys="Ctrl+Z"
        testId="delineate-undo"
        disabled={!writable || !(active.canUndo || pendingPrompts)}
        onClick={() => void actions.undo()}
      />
      <IconButton
        icon="redo"
        label="Redo"
        keys="Ctrl+Shift+Z"
        testId="delineate-redo"
        disabled={!writable || !active.canRedo}
        onClick={() => void actions.redo()}
      />
    </>
  );
}

function Tools({ state, hindrance }: { readonly state: PanelState; readonly hindrance: string | null }): ReactElement {
  const actions = useActions();
  const refused = refusedKinds(state);
  const whyNot = (kind: PromptKind): string | null =>
    hindrance ??
    (refused.never.includes(kind) ? 'The model does not take this kind of prompt.' : null) ??
    (refused.here.includes(kind) ? 'The model does not take this kind on an oblique plane.' : null);
  return (
    <div className="dl-tools" role="group" aria-label="Prompt type">
      {PROMPT_KINDS.map(kind => {
        const reason = whyNot(kind);
        const chosen = state.tool === kind;
        return (
          <button
            key={kind}
            type="button"
            className="dl-tool"
            data-cy={`delineate-tool-${kind}`}
            aria-pressed={chosen}
            aria-keyshortcuts={KIND_KEYS[kind]}
            disabled={reason !== null}
            title={`${KIND_NAMES[kind]} (${KIND_KEYS[kind]})${reason ? `: ${reason}` : ''}`}
            onClick={() => actions.setTool(chosen ? null : kind)}
          >
            <Icon name={kind} size={24} />
            <span>{KIND_NAMES[kind]}</span>
          </button>
        );
      })}
    </div>
  );
}

function IncludeChoice({ state, disabled }: { readonly state: PanelState; readonly disabled: boolean }): ReactElement {
  const actions = useActions();
  const { includeColour, excludeColour } = state.settings;
  return (
    <Choice
      label="What the next prompt does"
      testId="delineate-include"
      value={state.include ? 'yes' : 'no'}
      disabled={disabled}
      options={[
        {
          value: 'yes',
          text: 'Include',
          title: 'Include tissue (T switches)',
          icon: 'include',
          colour: hex(includeColour),
        },
        {
          value: 'no',
          text: 'Exclude',
          title: 'Exclude tissue (T switches)',
          icon: 'exclude',
          colour: hex(excludeColour),
        },
      ]}
      onChange={value => actions.setInclude(value === 'yes')}
    />
  );
}

interface StatusProps extends Props {
  readonly hindrance: string | null;
}

/** One line that is always there: what happens, or what to do. */
function StatusLine({ state, session, hindrance }: StatusProps): ReactElement {
  const actions = useActions();
  const active = session && activeSegment(session);
  const activity = session && busyWords(session, state.connection);
  const busy = hindrance === null && activity !== null && state.connection === 'online';
  const text = hindrance ?? activity ?? drawingHint(state.tool, state.include);
  return (
    <div className="dl-status" data-cy="delineate-status" data-busy={busy}>
      {busy && <Spinner />}
      <span className="dl-grow dl-truncate" title={text}>
        {text}
      </span>
      {hindrance && active?.locked && (
        <Button
          look="ghost"
          testId="delineate-status-unlock"
          onClick={() => void actions.describeSegment(active.number, { locked: false })}
        >
          Unlock
        </Button>
      )}
    </div>
  );
}

/** What runs, over all segments, or null. */
export function busyWords(session: SessionState, connection: Connection): string | null {
  const running = session.segments.reduce((sum, one) => sum + one.running, 0);
  if (running === 0) {
    return null;
  }
  if (connection !== 'online') {
    return `${count(running, 'prompt')} waiting for the connection`;
  }
  // One that runs already says more than the place of those behind it.
  const places = session.segments.filter(one => one.running > 0).map(one => one.queuePosition ?? 0);
  const ahead = Math.min(...places);
  return ahead > 0 ? `Waiting: ${count(ahead, 'model run')} of others ahead` : `Running ${count(running, 'prompt')}…`;
}

function RunCollected({ state, session }: Props): ReactElement | null {
  const actions = useActions();
  const [pending, start] = usePending();
  const active = session && activeSegment(session);
  const collected = active?.collected ?? 0;
  if (session === null || (state.settings.mode !== 'collect' && collected === 0)) {
    return null;
  }
  return (
    <Button
      look="primary"
      wide
      testId="delineate-run"
      disabled={pending || collected === 0 || active?.locked || state.connection !== 'online'}
      onClick={() => start(() => actions.run())}
    >
      {collected === 0 ? 'No prompts collected' : `Run ${count(collected, 'prompt')}`}
    </Button>
  );
}

function ObliqueNotice({ state }: { readonly state: PanelState }): ReactElement | null {
  const actions = useActions();
  const { here } = refusedKinds(state);
  if (here.length === 0) {
    return null;
  }
  return (
    <Notice
      tone="info"
      testId="delineate-oblique"
      actions={
        <Button testId="delineate-turn" onClick={() => actions.turnToNearestSlicePlane()}>
          Turn to the nearest slice plane
        </Button>
      }
    >
      <p>This view is oblique. {kindsDo(here)} not work well enough here with this model.</p>
    </Notice>
  );
}

function Unsent({ state }: { readonly state: PanelState }): ReactElement | null {
  if (state.unsent === 0 || state.connection === 'online') {
    return null;
  }
  return (
    <Notice tone="warn" testId="delineate-unsent">
      <p>
        <strong>{count(state.unsent, 'prompt')} not sent yet.</strong> Nothing is lost:{' '}
        {state.unsent === 1 ? 'it goes' : 'they go'} to the service when the connection is back.
      </p>
    </Notice>
  );
}
