/** What the active segment measures. */
import type { ReactElement } from 'react';

import type { MeasuredState, PanelState, SegmentMeasures, SegmentState, SessionState } from '../types';
import { activeSegment } from './availability';
import { useActions, usePending } from './controller';
import { Button, ProblemNotice, Spinner } from './controls';
import { Fold } from './Fold';
import { millimetres, position, squareCentimetres, value } from './measurementWords';
import { segmentName, volume } from './words';

interface Props {
  readonly state: PanelState;
  readonly session: SessionState;
}

export function Measurements({ state, session }: Props): ReactElement | null {
  const actions = useActions();
  const active = activeSegment(session);
  const measured = state.reports?.sessionId === session.id ? state.reports.measured : null;
  return (
    <Fold icon="ruler" title="Measurements" testId="delineate-measurements" onOpen={() => void actions.measure()}>
      {active === null ? (
        <p className="dl-soft">Select a segment to see its measurements.</p>
      ) : (
        <OfSegment segment={active} measured={measured} />
      )}
      {measured?.problem && <ProblemNotice problem={measured.problem} testId="delineate-measurements-problem" />}
    </Fold>
  );
}

function OfSegment({
  segment,
  measured,
}: {
  readonly segment: SegmentState;
  readonly measured: MeasuredState | null;
}): ReactElement {
  const actions = useActions();
  const [pending, start] = usePending();
  const found = measured?.segments[segment.number];
  const busy = pending || measured?.pending === true;
  const outdated = found !== undefined && found !== null && found.revision !== segment.revision;
  const again = measured !== null && !busy && (found === undefined || outdated || segment.volumeMl > 0 !== (found !== null));
  return (
    <>
      <p className="dl-row dl-gap-2">
        <strong className="dl-grow dl-truncate">{segmentName(segment)}</strong>
        {busy && <Spinner />}
      </p>
      {found === null && !busy && <p className="dl-soft">The segment is empty.</p>}
      {found && <Table found={found} unit={measured.unit} outdated={outdated} />}
      {found && measured.note && (
        <p className="dl-soft dl-small" data-cy="delineate-measurements-note">
          {measured.note}
        </p>
      )}
      {again && (
        <Button testId="delineate-measure" wide onClick={() => start(() => actions.measure())}>
          {outdated ? 'The segment has changed: measure again' : 'Measure'}
        </Button>
      )}
    </>
  );
}

interface TableProps {
  readonly found: SegmentMeasures;
  readonly unit: string;
  readonly outdated: boolean;
}

function Table({ found, unit, outdated }: TableProps): ReactElement {
  return (
    <table className="dl-table" data-cy="delineate-measurements-table" data-outdated={outdated}>
      <tbody>
        {rowsOf(found, unit).map(([name, title, text]) => (
          <tr key={name}>
            <th scope="row">{title}</th>
            <td className="dl-number" data-cy={`delineate-measure-${name}`}>
              {text}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Name, title and text of each row. */
function rowsOf(found: SegmentMeasures, unit: string): readonly (readonly [string, string, string])[] {
  const { percentiles } = found;
  const inPlane = `${millimetres(found.longestMm, false)} × ${millimetres(found.perpendicularMm)}`;
  const values: readonly (readonly [string, string, string])[] = [
    ['mean', 'Mean ± SD', `${value(found.mean)} ± ${value(found.standardDeviation)}`],
    ['median', 'Median', value(percentiles[50])],
    ['quartiles', '25th to 75th percentile', `${value(percentiles[25])} to ${value(percentiles[75])}`],
    ['percentiles', '5th to 95th percentile', `${value(percentiles[5])} to ${value(percentiles[95])}`],
    ['range', 'Minimum to maximum', `${value(found.minimum)} to ${value(found.maximum)}`],
  ];
  return [
    ['volume', 'Volume', volume(found.volumeMl)],
    ['mesh-volume', 'Volume inside the mesh', volume(found.meshVolumeMl)],
    ['surface', 'Surface of the mesh', squareCentimetres(found.surfaceMm2)],
    ['in-plane', 'Longest × perpendicular, in one image', inPlane],
    ['in-space', 'Longest in space', millimetres(found.longestInSpaceMm)],
    ['centroid', 'Centroid (L, P, S)', position(found.centroid)],
    ...values.map(([name, title, text]) => [name, title, `${text} ${unit}`.trim()] as const),
  ];
}
