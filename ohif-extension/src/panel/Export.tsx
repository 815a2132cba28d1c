/** Segments as files of other formats. */
import { useState, type ReactElement } from 'react';

import type { ExportState, PanelState, SessionState } from '../types';
import { acceptHindrances } from './availability';
import { useActions, usePending } from './controller';
import { Button, Notice, ProblemNotice, Progress } from './controls';
import { Fold } from './Fold';

interface Props {
  readonly state: PanelState;
  readonly session: SessionState;
}

export const FORMATS = [
  { name: 'seg', text: 'DICOM SEG', title: 'Binary; segments may overlap' },
  { name: 'seg-labelmap', text: 'DICOM SEG, labelmap', title: 'Label Map Segmentation; segments may not overlap' },
  { name: 'rtstruct', text: 'DICOM RT Structure Set', title: 'Contours on the acquired images' },
  { name: 'nifti', text: 'NIfTI', title: 'Image and labelmap' },
  { name: 'nrrd', text: 'NRRD', title: "3D Slicer's segmentation" },
  { name: 'stl', text: 'STL', title: 'Meshes, LPS mm' },
  { name: 'obj', text: 'OBJ', title: 'Meshes, LPS mm' },
  { name: 'csv', text: 'Measurements', title: 'A table, one row for each segment' },
  { name: 'prompts', text: 'Prompts', title: 'JSON that can be sent again' },
  { name: 'recording', text: 'Recording', title: 'How the segments came to be; for delineate replay' },
] as const;

const FIRST = ['seg', 'nifti', 'csv'];

export function Export({ state, session }: Props): ReactElement {
  const actions = useActions();
  const [pending, start] = usePending();
  const [chosen, setChosen] = useState<readonly string[]>(FIRST);
  const exporting = state.reports?.sessionId === session.id ? state.reports.exporting : null;
  const running = pending || exporting?.state === 'running';
  const [hindrance] = acceptHindrances(state, session);
  const toggle = (name: string) =>
    setChosen(chosen.includes(name) ? chosen.filter(one => one !== name) : [...chosen, name]);
  return (
    <Fold icon="export" title="Export" testId="delineate-export">
      <fieldset className="dl-formats" disabled={running}>
        <legend className="dl-soft">Formats, in one ZIP file</legend>
        {FORMATS.map(({ name, text, title }) => (
          <label key={name} className="dl-row dl-gap-2" title={title}>
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              data-cy={`delineate-format-${name}`}
              onChange={() => toggle(name)}
            />
            {text}
          </label>
        ))}
      </fieldset>
      {exporting && <Outcome exporting={exporting} />}
      {hindrance && <p className="dl-warn-text">{hindrance.text}</p>}
      <Button
        testId="delineate-export-start"
        wide
        disabled={running || chosen.length === 0 || hindrance !== undefined}
        onClick={() => start(() => actions.exportSegments(FORMATS.map(f => f.name).filter(f => chosen.includes(f))))}
      >
        {running ? 'Exporting…' : 'Export'}
      </Button>
      <p className="dl-soft dl-small">The files hold patient data. Research use only.</p>
    </Fold>
  );
}

function Outcome({ exporting }: { readonly exporting: ExportState }): ReactElement {
  const { state, done, total, refused, problem } = exporting;
  if (state === 'running') {
    return <Progress testId="delineate-export-progress" label="Writing" done={done} total={total} />;
  }
  if (problem !== null) {
    return <ProblemNotice problem={problem} testId="delineate-export-problem" />;
  }
  const tone = state === 'failed' ? 'bad' : refused.length > 0 ? 'warn' : 'good';
  return (
    <Notice tone={tone} testId="delineate-exported">
      <strong>{state === 'failed' ? 'Not exported' : 'Saved with your downloads'}</strong>
      {refused.map(({ format, reason }) => (
        <p key={format}>
          {FORMATS.find(one => one.name === format)?.text ?? format}: {reason}
        </p>
      ))}
    </Notice>
  );
}
