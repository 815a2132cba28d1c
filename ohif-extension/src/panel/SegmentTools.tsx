/** The tools of the active segment: name, colour, reset, delete. */
import type { ReactElement } from 'react';

import type { SegmentState } from '../types';
import { ColourPicker } from './ColourPicker';
import { useActions, usePending } from './controller';
import { Button, IconButton } from './controls';
import { Naming } from './Naming';
import { hex, segmentName } from './words';

/** Which tool of the active segment is open; belongs to that segment only. */
export type OpenTool = { readonly tool: 'name' | 'colour' | 'delete'; readonly segment: number } | null;

interface ActiveProps {
  readonly segment: SegmentState;
  /** Whether the person is being asked to delete it. */
  readonly asked: boolean;
  readonly open: OpenTool;
  readonly setOpen: (open: OpenTool) => void;
}

/** Tools of the active segment, in a bar that keeps its place. */
export function ActiveTools({ segment, asked, open, setOpen }: ActiveProps): ReactElement {
  const actions = useActions();
  const tool = open?.segment === segment.number ? open.tool : null;
  const toggle = (which: 'name' | 'colour') =>
    setOpen(tool === which ? null : { tool: which, segment: segment.number });
  const name = segmentName(segment);
  if (asked || tool === 'delete') {
    const close = () => {
      actions.askDelete(null);
      setOpen(null);
    };
    return <DeleteConfirmation segment={segment} onClose={close} />;
  }
  return (
    <div className="dl-segment-tools" data-cy="delineate-segment-tools">
      <div className="dl-toolbar" role="toolbar" aria-label={`Tools of ${name}`}>
        <Button
          icon="name"
          testId="delineate-name"
          aria-expanded={tool === 'name'}
          disabled={segment.locked}
          onClick={() => toggle('name')}
        >
          Name
        </Button>
        <button
          type="button"
          className="dl-button dl-button-secondary"
          data-cy="delineate-colour"
          aria-expanded={tool === 'colour'}
          disabled={segment.locked}
          onClick={() => toggle('colour')}
        >
          <span className="dl-dot" style={{ backgroundColor: hex(segment.colour) }} />
          Colour
        </button>
        <span className="dl-grow" />
        <IconButton
          icon="reset"
          label={`Reset ${name}`}
          keys="R"
          testId="delineate-reset"
          disabled={segment.locked}
          onClick={() => void actions.resetSegment(segment.number)}
        />
        <IconButton
          icon="remove"
          label={`Delete ${name}`}
          keys="Delete"
          testId="delineate-delete"
          disabled={segment.locked}
          onClick={() => actions.askDelete(segment.number)}
        />
      </div>
      {tool === 'name' && <Naming segment={segment} onClose={() => setOpen(null)} />}
      {tool === 'colour' && <ColourPicker segment={segment} onClose={() => setOpen(null)} />}
    </div>
  );
}

function DeleteConfirmation({
  segment,
  onClose,
}: {
  readonly segment: SegmentState;
  readonly onClose: () => void;
}): ReactElement {
  const actions = useActions();
  const [pending, start] = usePending();
  const question = `Delete ${segmentName(segment)}?`;
  return (
    <div
      className="dl-toolbar dl-confirm"
      role="group"
      aria-label={question}
      data-cy="delineate-delete-confirmation"
      onKeyDown={event => event.key === 'Escape' && onClose()}
    >
      <span className="dl-grow dl-truncate" title={question}>
        {question}
      </span>
      <Button
        look="danger"
        testId="delineate-delete-confirm"
        autoFocus
        disabled={pending}
        onClick={() =>
          start(async () => {
            await actions.deleteSegment(segment.number);
            onClose();
          })
        }
      >
        Delete
      </Button>
      <Button testId="delineate-delete-keep" onClick={onClose}>
        Keep
      </Button>
    </div>
  );
}
