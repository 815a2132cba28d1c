/** Accept: store the session as a DICOM segmentation, and what became of it. */
import type { ReactElement } from 'react';

import type { PanelState, ResultState, SessionState } from '../types';
import { acceptHindrances, type Hindrance } from './availability';
import { useActions, useNow, usePending } from './controller';
import { Button, Notice, Spinner } from './controls';
import { Icon } from './icons';
import type { OpenTool } from './SegmentTools';
import { count } from './words';

interface Props {
  readonly state: PanelState;
  readonly session: SessionState;
  readonly setOpen: (open: OpenTool) => void;
}

const MAX_HINDRANCES = 3;

export function Accept({ state, session, setOpen }: Props): ReactElement {
  const actions = useActions();
  const [pending, start] = usePending();
  const hindrances = acceptHindrances(state, session);
  const { result } = session;
  const busy = pending || (result !== null && result.state !== 'stored' && result.state !== 'failed');
  return (
    <section className="dl-accept" aria-label="Accept" data-cy="delineate-accept-section">
      {result && <Result result={result} />}
      {!busy && hindrances.length > 0 && <Hindrances hindrances={hindrances} setOpen={setOpen} />}
      <Button
        look={result?.state === 'stored' ? 'secondary' : 'primary'}
        wide
        testId="delineate-accept"
        disabled={busy || hindrances.length > 0}
        aria-describedby="delineate-accept-meaning"
        onClick={() => start(() => actions.accept())}
      >
        {acceptWords(session, result)}
      </Button>
      <p id="delineate-accept-meaning" className="dl-soft dl-small">
        Stores a DICOM segmentation, not a signed report.
      </p>
    </section>
  );
}

function acceptWords(session: SessionState, result: ResultState | null): string {
  const what = session.segments.length === 0 ? 'segmentation' : count(session.segments.length, 'segment');
  const again = result?.state === 'stored' || session.openedFrom !== null;
  return again ? 'Accept: store a new version' : `Accept: store ${what}`;
}

interface HindrancesProps {
  readonly hindrances: readonly Hindrance[];
  readonly setOpen: (open: OpenTool) => void;
}

function Hindrances({ hindrances, setOpen }: HindrancesProps): ReactElement {
  const more = hindrances.length - MAX_HINDRANCES;
  return (
    <ul className="dl-hindrances" aria-label="Before it can be accepted" data-cy="delineate-hindrances">
      {hindrances.slice(0, MAX_HINDRANCES).map(one => (
        <li key={`${one.segment} ${one.text}`} className="dl-row dl-gap-2">
          <span className="dl-grow dl-truncate" title={one.text}>
            {one.text}
          </span>
          <Cure hindrance={one} setOpen={setOpen} />
        </li>
      ))}
      {more > 0 && <li className="dl-soft">and {more} more</li>}
    </ul>
  );
}

const CURES = { name: 'Name it', delete: 'Delete it', run: 'Show it' } as const;

function Cure({
  hindrance,
  setOpen,
}: {
  readonly hindrance: Hindrance;
  readonly setOpen: (open: OpenTool) => void;
}): ReactElement | null {
  const actions = useActions();
  const { segment, cure } = hindrance;
  if (segment === null || cure === null) {
    return null;
  }
  return (
    <button
      type="button"
      className="dl-link"
      data-cy={`delineate-cure-${cure}`}
      onClick={() => {
        actions.selectSegment(segment);
        setOpen(cure === 'run' ? null : { tool: cure, segment });
      }}
    >
      {CURES[cure]}
    </button>
  );
}

function Result({ result }: { readonly result: ResultState }): ReactElement {
  switch (result.state) {
    case 'encoding':
    case 'storing':
    case 'verifying':
      return <Steps at={result.state} />;
    case 'stored':
      return <StoredResult result={result} />;
    case 'waiting':
      return <Waiting result={result} />;
    case 'failed':
      return <Failed result={result} />;
  }
}

const STEPS = [
  { state: 'encoding', text: 'Encoding' },
  { state: 'storing', text: 'Storing' },
  { state: 'verifying', text: 'Verifying' },
] as const;

function Steps({ at }: { readonly at: 'encoding' | 'storing' | 'verifying' }): ReactElement {
  const now = STEPS.findIndex(step => step.state === at);
  return (
    <ol className="dl-steps" aria-label="Storing the segmentation" data-cy="delineate-result" data-state={at}>
      {STEPS.map((step, index) => (
        <li
          key={step.state}
          className="dl-step"
          data-step={index < now ? 'past' : index === now ? 'now' : 'next'}
          aria-current={index === now ? 'step' : undefined}
        >
          {index < now ? (
            <Icon name="done" size={16} />
          ) : index === now ? (
            <Spinner />
          ) : (
            <span className="dl-step-dot" />
          )}
          {step.text}
        </li>
      ))}
    </ol>
  );
}

function StoredResult({ result }: { readonly result: ResultState }): ReactElement {
  const actions = useActions();
  const [pending, start] = usePending();
  return (
    <div data-cy="delineate-result" data-state="stored">
      <Notice
        tone="good"
        testId="delineate-stored-result"
        actions={
          <Button testId="delineate-show-result" disabled={pending} onClick={() => start(() => actions.showResult())}>
            {pending ? 'Opening…' : 'Show in the viewer'}
          </Button>
        }
      >
        <strong>Stored</strong>
        <p>Read back from the archive and equal to what was accepted.</p>
        {result.reportProblem && (
          <p className="dl-warn-text" data-cy="delineate-report-problem">
            Without its structured report: {result.reportProblem}
          </p>
        )}
      </Notice>
    </div>
  );
}

function Waiting({ result }: { readonly result: ResultState }): ReactElement {
  const actions = useActions();
  const [pending, start] = usePending();
  const now = useNow(true);
  const seconds = result.nextTryAt === null ? null : Math.max(0, Math.ceil(result.nextTryAt - now));
  return (
    <div data-cy="delineate-result" data-state="waiting">
      <Notice
        tone="warn"
        testId="delineate-waiting-result"
        actions={
          <Button testId="delineate-retry-accept" disabled={pending} onClick={() => start(() => actions.retryAccept())}>
            {pending ? 'Trying…' : 'Try now'}
          </Button>
        }
      >
        <strong>Waiting for the archive</strong>
        {result.reason && <p>{result.reason}</p>}
        <p className="dl-number">
          Nothing is lost.{' '}
          {seconds === null
            ? 'It is tried again by itself.'
            : seconds === 0
              ? 'Trying again now.'
              : `Next try in ${seconds} s.`}
        </p>
      </Notice>
    </div>
  );
}

function Failed({ result }: { readonly result: ResultState }): ReactElement {
  const actions = useActions();
  const [pending, start] = usePending();
  return (
    <div data-cy="delineate-result" data-state="failed">
      <Notice
        tone="bad"
        role="alert"
        testId="delineate-failed-result"
        actions={
          <Button testId="delineate-retry-accept" disabled={pending} onClick={() => start(() => actions.retryAccept())}>
            {pending ? 'Trying…' : 'Try again'}
          </Button>
        }
      >
        <strong>Not stored</strong>
        {result.reason && <p>{result.reason}</p>}
        <p className="dl-next">Nothing is lost. Tell the PACS administrator if trying again does not help.</p>
      </Notice>
    </div>
  );
}
