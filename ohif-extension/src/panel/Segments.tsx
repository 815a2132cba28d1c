/** The list of segments. */
import { useEffect, useRef, type ReactElement } from 'react';

import type { Connection, PanelState, SegmentState, SessionState } from '../types';
import { activeSegment } from './availability';
import { useActions, usePending } from './controller';
import { IconButton, ProblemNotice, Section, Spinner } from './controls';
import { ActiveTools, type OpenTool } from './SegmentTools';
import { codedName, count, hex, segmentName, volume } from './words';

interface Props {
  readonly state: PanelState;
  readonly session: SessionState;
  readonly open: OpenTool;
  readonly setOpen: (open: OpenTool) => void;
}

export function Segments({ state, session, open, setOpen }: Props): ReactElement {
  const actions = useActions();
  const [pending, start] = usePending();
  const active = activeSegment(session);
  const writable = session.state === 'ready' && !session.openedFrom?.readOnly;
  return (
    <Section
      title={session.segments.length > 0 ? `Segments (${session.segments.length})` : 'Segments'}
      testId="delineate-segments"
      actions={
        writable && (
          <>
            <IconButton
              icon="add"
              label="Add a segment"
              testId="delineate-add"
              disabled={pending}
              onClick={() => start(() => actions.addSegment())}
            />
            <IconButton
              icon="next"
              label="Next segment"
              keys="E"
              testId="delineate-next"
              disabled={pending}
              onClick={() => start(() => actions.nextSegment())}
            />
          </>
        )
      }
    >
      {session.segments.length === 0 && <p className="dl-soft dl-pad">No segments yet.</p>}
      <ul className="dl-segments" aria-label="Segments">
        {session.segments.map(segment => (
          <Row
            key={segment.number}
            segment={segment}
            active={segment === active}
            lockable={writable}
            connection={state.connection}
          />
        ))}
      </ul>
      {active && writable && (
        <ActiveTools
          key={active.number}
          segment={active}
          asked={state.askDelete === active.number}
          open={open}
          setOpen={setOpen}
        />
      )}
    </Section>
  );
}

interface RowProps {
  readonly segment: SegmentState;
  readonly active: boolean;
  readonly lockable: boolean;
  readonly connection: Connection;
}

function Row({ segment, active, lockable, connection }: RowProps): ReactElement {
  const actions = useActions();
  const row = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (active) {
      row.current?.scrollIntoView({ block: 'nearest' });
    }
  }, [active]);
  const name = segmentName(segment);
  return (
    <li
      ref={row}
      data-cy="delineate-segment"
      data-number={segment.number}
      data-active={active}
      data-visible={segment.visible}
    >
      <div className="dl-segment">
        <button
          type="button"
          className="dl-segment-main"
          aria-current={active ? 'true' : undefined}
          data-cy="delineate-segment-select"
          onClick={() => actions.selectSegment(segment.number)}
        >
          <span className="dl-segment-number dl-number">{segment.number}</span>
          <span className="dl-dot" style={{ backgroundColor: hex(segment.colour) }} />
          <span className="dl-segment-words">
            <span className="dl-truncate dl-segment-name" title={name} data-cy="delineate-segment-name">
              {name}
            </span>
            <SegmentStatus segment={segment} connection={connection} />
          </span>
        </button>
        <IconButton
          icon={segment.visible ? 'show' : 'hide'}
          label={`${segment.visible ? 'Hide' : 'Show'} ${name}`}
          {...(active ? { keys: 'V' } : {})}
          testId="delineate-segment-visible"
          aria-pressed={segment.visible}
          onClick={() => actions.setVisible(segment.number, !segment.visible)}
        />
        <IconButton
          hidden={!lockable && !segment.locked}
          icon={segment.locked ? 'lock' : 'unlock'}
          label={`${segment.locked ? 'Unlock' : 'Lock'} ${name}`}
          data-quiet={!segment.locked}
          testId="delineate-segment-lock"
          aria-pressed={segment.locked}
          disabled={!lockable}
          onClick={() => void actions.describeSegment(segment.number, { locked: !segment.locked })}
        />
      </div>
      {segment.problem && (
        <ProblemNotice
          problem={segment.problem}
          testId="delineate-segment-problem"
          onDismiss={() => actions.dismissProblem()}
        />
      )}
    </li>
  );
}

/** Second line of a row: what happens to the segment, else its codes; and its volume. */
function SegmentStatus({
  segment,
  connection,
}: {
  readonly segment: SegmentState;
  readonly connection: Connection;
}): ReactElement {
  const coded = codedName(segment);
  const words = segmentActivity(segment, connection);
  return (
    <span className="dl-segment-status">
      {segment.running > 0 && connection === 'online' && !segment.queuePosition && <Spinner />}
      <span
        data-cy="delineate-segment-status"
        className={`dl-grow dl-truncate${words === null && coded === null ? ' dl-warn-text' : ''}`}
        title={words ?? coded ?? undefined}
      >
        {words ?? coded ?? 'Not named yet'}
      </span>
      <span className="dl-number dl-segment-volume" data-cy="delineate-segment-volume">
        {volume(segment.volumeMl)}
      </span>
    </span>
  );
}

function segmentActivity(segment: SegmentState, connection: Connection): string | null {
  if (segment.running > 0 && connection !== 'online') {
    return `${count(segment.running, 'prompt')} kept`;
  }
  if (segment.running > 0 && segment.queuePosition) {
    return `Queued, ${segment.queuePosition} ahead`;
  }
  if (segment.running > 0) {
    return segment.running === 1 ? 'Running' : `Running ${segment.running} prompts`;
  }
  return segment.collected > 0 ? `${count(segment.collected, 'prompt')} collected` : null;
}
