/** The stored segmentations of the series, and the choice when somebody else was faster. */
import type { ReactElement } from 'react';

import type { PanelState, Series, SessionState, StoredVersion } from '../types';
import { useActions, usePending } from './controller';
import { Button, Notice, ProblemNotice, Spinner } from './controls';
import { Fold } from './Fold';
import { count, personName } from './words';

interface Props {
  readonly state: PanelState;
  readonly series: Series;
  readonly session: SessionState | null;
}

export function Versions({ state, series, session }: Props): ReactElement {
  const actions = useActions();
  const known = state.versions?.seriesInstanceUid === series.seriesInstanceUid ? state.versions : null;
  return (
    <Fold
      icon="versions"
      title="Versions in the archive"
      testId="delineate-versions"
      onOpen={() => void actions.listVersions()}
    >
      {known?.pending && <Spinner />}
      {known !== null && !known.pending && known.problem === null && known.list.length === 0 && (
        <p className="dl-soft">The archive holds no segmentation of this series.</p>
      )}
      <ul className="dl-versions" aria-label="Stored segmentations">
        {known?.list.map(version => (
          <Version
            key={version.sopInstanceUid}
            version={version}
            isBase={version.sopInstanceUid === session?.openedFrom?.sopInstanceUid}
          />
        ))}
      </ul>
      {known?.problem && <ProblemNotice problem={known.problem} testId="delineate-versions-problem" />}
    </Fold>
  );
}

function Version({ version, isBase }: { readonly version: StoredVersion; readonly isBase: boolean }): ReactElement {
  const actions = useActions();
  const [pending, start] = usePending();
  return (
    <li className="dl-row dl-gap-2" data-cy="delineate-version" data-newest={version.newest}>
      <div className="dl-grow dl-version-words">
        <p className="dl-truncate" title={version.description}>
          <strong>Version {version.version}</strong>
          {version.newest && ' · newest'}
          {isBase && ' · open here'}
        </p>
        <p className="dl-soft dl-small dl-truncate" title={madeBy(version)}>
          {madeBy(version)}
        </p>
        <p className="dl-soft dl-small dl-truncate" title={version.segments.join(', ')}>
          {count(version.segments.length, 'segment')}: {version.segments.join(', ')}
        </p>
      </div>
      {!isBase && (
        <Button
          testId="delineate-open-version"
          disabled={pending}
          onClick={() => start(() => actions.openVersion(version))}
        >
          Open
        </Button>
      )}
    </li>
  );
}

/** Somebody else has stored a newer version meanwhile: nothing is overwritten, and the person chooses. */
export function NewerVersions({ state, session }: Omit<Props, 'series'>): ReactElement | null {
  const actions = useActions();
  const [pending, start] = usePending();
  const newer = state.reports?.sessionId === session?.id ? (state.reports?.newer ?? []) : [];
  const [last] = newer.slice(-1);
  if (last === undefined) {
    return null;
  }
  return (
    <Notice
      tone="warn"
      role="alert"
      testId="delineate-newer-versions"
      actions={
        <>
          <Button
            testId="delineate-open-newer"
            disabled={pending}
            onClick={() => start(() => actions.openVersion(last))}
          >
            Open theirs
          </Button>
          <Button testId="delineate-store-beside" disabled={pending} onClick={() => start(() => actions.acceptBeside())}>
            Store mine beside it
          </Button>
        </>
      }
    >
      <strong>Somebody has stored a newer version</strong>
      {newer.map(version => (
        <p key={version.sopInstanceUid}>{madeBy(version)}</p>
      ))}
      <p>Nothing was stored, and your work is kept. If you open theirs, yours can be continued later.</p>
    </Notice>
  );
}

function madeBy({ creator, createdAt }: StoredVersion): string {
  const who = personName(creator) || 'Unnamed';
  return createdAt === null ? who : `${who}, ${moment(createdAt)}`;
}

function moment(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}
