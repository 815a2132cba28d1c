/** Before a session: prepare the series, start, continue, choose a volume, or open a stored segmentation. */
import type { ReactElement } from 'react';

import type { PanelState, PreloadState, ResumableSession, StoredSegmentation } from '../types';
import { canStart } from './availability';
import { useActions, useNow, usePending } from './controller';
import { Badge, Button, Notice, ProblemNotice, Progress, Section } from './controls';
import { ago, count } from './words';

export function Start({ state }: { readonly state: PanelState }): ReactElement {
  const { series } = state;
  if (series === null) {
    return (
      <div className="dl-empty" data-cy="delineate-no-series">
        <p>No image series in the active viewport.</p>
        <p className="dl-soft">Select a viewport that shows the series to segment.</p>
      </div>
    );
  }
  return (
    <>
      <StartSeries state={state} />
      <Resume
        sessions={state.resumable}
        unsent={state.unsent}
        seriesInstanceUid={series.seriesInstanceUid}
        usable={canStart(state)}
      />
      <Stored segmentations={state.storedSegmentations} usable={canStart(state)} />
    </>
  );
}

function StartSeries({ state }: { readonly state: PanelState }): ReactElement {
  const actions = useActions();
  const [pending, start] = usePending();
  const resumable = state.resumable.some(one => one.seriesInstanceUid === state.series?.seriesInstanceUid);
  const choosing = state.volumeChoices.length > 0;
  const refused = state.preload.state === 'failed';
  return (
    <Section
      title="Segment this series"
      testId="delineate-start-section"
      actions={
        state.preload.state === 'ready' && (
          <Badge tone="good" testId="delineate-preload-ready">
            Ready
          </Badge>
        )
      }
    >
      <Preload preload={state.preload} />
      {state.series?.reconstructable === false && (
        <Notice tone="info" testId="delineate-stack-only">
          The viewer shows this series as a stack only, without reformatted planes.
        </Notice>
      )}
      {choosing ? (
        <VolumeChoices state={state} pending={pending} start={start} />
      ) : (
        <Button
          look={resumable || refused ? 'secondary' : 'primary'}
          wide
          testId="delineate-start"
          disabled={pending || !canStart(state)}
          onClick={() => start(() => actions.start())}
        >
          {pending ? 'Starting…' : startWords(resumable, refused)}
        </Button>
      )}
    </Section>
  );
}

function startWords(resumable: boolean, refused: boolean): string {
  if (refused) {
    return 'Try again';
  }
  return resumable ? 'Start a new session' : 'Start';
}

/** Progress of preloading; takes the same room in every state, so that the button below stays where it is. */
export function Preload({ preload }: { readonly preload: PreloadState }): ReactElement | null {
  switch (preload.state) {
    case 'waiting':
      return <Progress testId="delineate-preload" label="Waiting to be prepared" done={0} total={0} />;
    case 'loading':
      return (
        <Progress testId="delineate-preload" label="Preparing the series" done={preload.done} total={preload.total} />
      );
    case 'ready':
      return <Progress testId="delineate-preload" label="Series prepared" done={preload.total} total={preload.total} />;
    case 'failed':
      return preload.problem && <ProblemNotice testId="delineate-preload-problem" problem={preload.problem} />;
    case 'none':
      return null;
  }
}

interface VolumeChoicesProps {
  readonly state: PanelState;
  readonly pending: boolean;
  readonly start: (action: () => Promise<unknown>) => void;
}

function VolumeChoices({ state, pending, start }: VolumeChoicesProps): ReactElement {
  const actions = useActions();
  return (
    <div data-cy="delineate-volume-choices" role="group" aria-label="Volumes of the series">
      <p>This series holds {state.volumeChoices.length} volumes. Choose the one to segment:</p>
      <ul className="dl-list">
        {state.volumeChoices.map(choice => (
          <li key={choice.key}>
            <button
              type="button"
              className="dl-button dl-button-secondary dl-choose"
              data-cy="delineate-volume-choice"
              disabled={pending || !canStart(state)}
              onClick={() => start(() => actions.startVolume(choice.key))}
            >
              {choice.description}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

interface ResumeProps {
  readonly sessions: readonly ResumableSession[];
  /** Prompts of these sessions that are kept in this browser. */
  readonly unsent: number;
  readonly seriesInstanceUid: string;
  readonly usable: boolean;
}

function Resume({ sessions, unsent, seriesInstanceUid, usable }: ResumeProps): ReactElement | null {
  const actions = useActions();
  const [pending, start] = usePending();
  const now = useNow(false);
  if (sessions.length === 0) {
    return null;
  }
  const here = (one: ResumableSession) => one.seriesInstanceUid === seriesInstanceUid;
  const ordered = [...sessions].sort((a, b) => Number(here(b)) - Number(here(a)) || b.touchedAt - a.touchedAt);
  return (
    <Section title="Continue your work" testId="delineate-resume-section">
      {unsent > 0 && (
        <Notice tone="warn" testId="delineate-unsent">
          <p>
            <strong>{count(unsent, 'prompt')} kept in this browser.</strong> Continue the session to send{' '}
            {unsent === 1 ? 'it' : 'them'}.
          </p>
        </Notice>
      )}
      <ul className="dl-list">
        {ordered.map((one, index) => (
          <li key={one.id} className="dl-card" data-cy="delineate-resumable">
            <div className="dl-grow dl-clip">
              <p className="dl-truncate" title={one.segments.join(', ')}>
                {one.segments.length > 0 ? one.segments.join(', ') : 'No segments yet'}
              </p>
              <p className="dl-soft dl-truncate">
                {ago(one.touchedAt, now)}
                {!here(one) && ' · another series of this study'}
              </p>
            </div>
            <Button
              look={index === 0 && here(one) ? 'primary' : 'secondary'}
              testId="delineate-resume"
              disabled={pending || !usable}
              onClick={() => start(() => actions.resume(one.id))}
            >
              Continue
            </Button>
          </li>
        ))}
      </ul>
    </Section>
  );
}

interface StoredProps {
  readonly segmentations: readonly StoredSegmentation[];
  readonly usable: boolean;
}

function Stored({ segmentations, usable }: StoredProps): ReactElement | null {
  const actions = useActions();
  const [pending, start] = usePending();
  if (segmentations.length === 0) {
    return null;
  }
  return (
    <Section title="Stored segmentations of the study" testId="delineate-stored-section">
      <ul className="dl-list">
        {segmentations.map(one => (
          <li key={one.sopInstanceUid} className="dl-card" data-cy="delineate-stored">
            <p className="dl-grow dl-truncate" title={one.description}>
              {one.description || 'No description'}
            </p>
            <Button
              testId="delineate-open-stored"
              title="Open as a session, to refine it and store a new version"
              disabled={pending || !usable}
              onClick={() => start(() => actions.openStored(one))}
            >
              Open
            </Button>
          </li>
        ))}
      </ul>
    </Section>
  );
}
