/** The panel: header, prompts, then start or session, then accept and the permanent notice. */
import { useState, type ReactElement } from 'react';

import type { PanelState, SessionState } from '../types';
import { Accept } from './Accept';
import { Announcer } from './Announcer';
import { canStart } from './availability';
import { useActions, usePanelState, usePending } from './controller';
import { Button, IconButton, Notice, ProblemNotice, Progress, Section } from './controls';
import { Export } from './Export';
import { Header } from './Header';
import { Icon } from './icons';
import { Measurements } from './Measurements';
import { Prompts } from './Prompts';
import { Segments } from './Segments';
import type { OpenTool } from './SegmentTools';
import { Settings } from './Settings';
import { Preload, Start } from './Start';
import { NewerVersions, Versions } from './Versions';

export function Panel(): ReactElement {
  const state = usePanelState();
  const [open, setOpen] = useState<OpenTool>(null);
  const { session } = state;
  const readOnly = Boolean(session?.openedFrom?.readOnly);
  return (
    <div className="delineate-panel" data-cy="delineate-root">
      <div className="dl-scroll">
        <Header state={state} />
        <ViewerNotice notice={state.notice ?? null} />
        {session === null ? (
          <Idle state={state} />
        ) : (
          <Session state={state} session={session} open={open} setOpen={setOpen} />
        )}
        <Settings settings={state.settings} />
      </div>
      <footer className="dl-footer">
        <NewerVersions state={state} session={session} />
        {session?.state === 'ready' && !readOnly && <Accept state={state} session={session} setOpen={setOpen} />}
        <p className="dl-disclaimer" data-cy="delineate-disclaimer">
          <span>Research use only.</span> <span>Not a medical device; not for diagnosis or treatment.</span>
        </p>
      </footer>
      <Announcer state={state} />
    </div>
  );
}

/** No session: the prompts are there already, since drawing one opens a session. */
function Idle({ state }: { readonly state: PanelState }): ReactElement {
  return (
    <>
      {canStart(state) && state.preload.state !== 'failed' && <Prompts state={state} session={null} />}
      <Start state={state} />
      {canStart(state) && state.series !== null && <Versions state={state} series={state.series} session={null} />}
    </>
  );
}

function ViewerNotice({ notice }: { readonly notice: string | null }): ReactElement | null {
  const actions = useActions();
  return notice === null ? null : (
    <Notice tone="info" testId="delineate-notice">
      <div className="dl-row">
        <p className="dl-grow">{notice}</p>
        <IconButton
          icon="close"
          label="Dismiss"
          testId="delineate-notice-dismiss"
          onClick={() => actions.dismissProblem()}
        />
      </div>
    </Notice>
  );
}

interface SessionProps {
  readonly state: PanelState;
  readonly session: SessionState;
  readonly open: OpenTool;
  readonly setOpen: (open: OpenTool) => void;
}

function Session({ state, session, open, setOpen }: SessionProps): ReactElement {
  const ended = session.state === 'failed' || session.state === 'closed';
  const readOnly = session.openedFrom?.readOnly ?? null;
  return (
    <>
      <SessionProblem session={session} ended={ended} />
      {readOnly !== null && (
        <Notice tone="info" testId="delineate-read-only">
          <strong>Open for reading only</strong>
          <p>{readOnly}</p>
        </Notice>
      )}
      {!ended && readOnly === null && <Prompts state={state} session={session} />}
      {(session.state === 'opening' || session.state === 'loading') && <Loading state={state} />}
      {session.state === 'ready' && <Segments state={state} session={session} open={open} setOpen={setOpen} />}
      {session.state === 'ready' && readOnly === null && (
        <>
          <Measurements state={state} session={session} />
          <Export state={state} session={session} />
        </>
      )}
      {session.state === 'ready' && <Versions state={state} series={session.series} session={session} />}
      {!ended && <CloseSession />}
    </>
  );
}

function Loading({ state }: { readonly state: PanelState }): ReactElement {
  const known = state.preload.state === 'loading' || state.preload.state === 'failed';
  return (
    <Section title="Opening the session" testId="delineate-loading">
      {known ? (
        <Preload preload={state.preload} />
      ) : (
        <Progress testId="delineate-opening" label="Opening" done={0} total={0} />
      )}
    </Section>
  );
}

function SessionProblem({
  session,
  ended,
}: {
  readonly session: SessionState;
  readonly ended: boolean;
}): ReactElement | null {
  const actions = useActions();
  const [pending, start] = usePending();
  const back = (
    <Button testId="delineate-close" disabled={pending} onClick={() => start(() => actions.close())}>
      Back
    </Button>
  );
  if (session.problem === null) {
    return ended ? (
      <Notice tone="info" testId="delineate-session-ended" actions={back}>
        <strong>The session has ended.</strong>
      </Notice>
    ) : null;
  }
  return (
    <ProblemNotice
      problem={session.problem}
      testId="delineate-session-problem"
      {...(ended ? { actions: back } : { onDismiss: () => actions.dismissProblem() })}
    />
  );
}

/** Leaves the session; what is not stored stays with the service and is offered again. */
function CloseSession(): ReactElement {
  const actions = useActions();
  const [pending, start] = usePending();
  return (
    <button
      type="button"
      className="dl-line"
      data-cy="delineate-close"
      title="Work that is not stored is kept, and can be continued later"
      disabled={pending}
      onClick={() => start(() => actions.close())}
    >
      <Icon name="close" size={18} />
      Close the session
    </button>
  );
}
