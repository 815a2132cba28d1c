/** The colour of a segment: a palette that reads well on grey images, or any other. */
import { useEffect, useRef, type ReactElement } from 'react';

import type { Colour, SegmentState } from '../types';
import { useActions } from './controller';
import { colourOf, hex } from './words';

const PALETTE: readonly { readonly name: string; readonly colour: Colour }[] = [
  { name: 'Red', colour: [230, 75, 70] },
  { name: 'Orange', colour: [245, 150, 60] },
  { name: 'Yellow', colour: [242, 214, 75] },
  { name: 'Lime', colour: [168, 214, 80] },
  { name: 'Green', colour: [70, 190, 110] },
  { name: 'Teal', colour: [50, 190, 180] },
  { name: 'Cyan', colour: [90, 205, 240] },
  { name: 'Blue', colour: [80, 130, 245] },
  { name: 'Violet', colour: [150, 110, 240] },
  { name: 'Magenta', colour: [220, 100, 210] },
  { name: 'Pink', colour: [245, 150, 180] },
  { name: 'Bone', colour: [241, 214, 170] },
];

export function ColourPicker({
  segment,
  onClose,
}: {
  readonly segment: SegmentState;
  readonly onClose: () => void;
}): ReactElement {
  const actions = useActions();
  const choose = (colour: Colour) => void actions.describeSegment(segment.number, { colour });
  return (
    <div
      className="dl-editor"
      role="group"
      aria-label="Colour of the segment"
      data-cy="delineate-colour-picker"
      onKeyDown={event => event.key === 'Escape' && onClose()}
    >
      <div className="dl-swatches">
        {PALETTE.map(({ name, colour }) => (
          <button
            key={name}
            type="button"
            className="dl-swatch"
            aria-label={name}
            aria-pressed={hex(colour) === hex(segment.colour)}
            title={name}
            style={{ backgroundColor: hex(colour) }}
            data-cy="delineate-swatch"
            onClick={() => choose(colour)}
          />
        ))}
      </div>
      <label className="dl-row dl-gap-2 dl-field-row">
        <span className="dl-grow">Another colour</span>
        <ColourInput label="Another colour" colour={segment.colour} testId="delineate-colour-other" onChange={choose} />
      </label>
    </div>
  );
}

interface ColourInputProps {
  readonly label: string;
  readonly colour: Colour;
  readonly testId: string;
  readonly onChange: (colour: Colour) => void;
}

/** The browser's colour input; reports the colour that was settled on, not each one on the way. */
export function ColourInput({ label, colour, testId, onChange }: ColourInputProps): ReactElement {
  const input = useRef<HTMLInputElement>(null);
  const latest = useRef(onChange);
  useEffect(() => {
    latest.current = onChange;
  });
  useEffect(() => {
    const element = input.current;
    const settled = () => element && latest.current(colourOf(element.value));
    element?.addEventListener('change', settled);
    return () => element?.removeEventListener('change', settled);
  }, []);
  useEffect(() => {
    if (input.current) {
      input.current.value = hex(colour);
    }
  }, [colour]);
  return (
    <input
      ref={input}
      type="color"
      className="dl-colour-input"
      aria-label={label}
      defaultValue={hex(colour)}
      data-cy={testId}
    />
  );
}
