/** Name a segment: search the coded anatomy, then the side, then the label as it will be stored. */
import { useEffect, useRef, useState, type KeyboardEvent, type ReactElement } from 'react';

import type { Code, SegmentState, TerminologyEntry } from '../types';
import { useActions } from './controller';
import { Button, Choice, IconButton } from './controls';
import { Icon } from './icons';
import { NameSearch } from './NameSearch';
import {
  isFavourite,
  offered,
  sameEntry,
  suggestedLabel,
  useEntryOf,
  useKept,
  usePresets,
  withFavouriteToggled,
  withRecent,
  type KeptEntries,
} from './terminology';
import { codedName } from './words';

interface Props {
  readonly segment: SegmentState;
  readonly onClose: () => void;
}

export function Naming({ segment, onClose }: Props): ReactElement {
  const actions = useActions();
  const [kept, changeKept] = useKept();
  const [chosen, setChosen] = useState<TerminologyEntry | null>(null);
  const presets = usePresets();
  const entry = useEntryOf(segment.type, 'types', [...(chosen ? [chosen] : []), ...kept.favourites, ...kept.recent]);
  const [chosenRegion, setChosenRegion] = useState<TerminologyEntry | null>(null);
  const region = useEntryOf(segment.region, 'regions', chosenRegion ? [chosenRegion] : []);
  const sided = segment.region ? region : entry;
  const editor = useRef<HTMLDivElement>(null);
  useEffect(() => {
    editor.current?.scrollIntoView({ block: 'nearest' });
  }, [segment.type, segment.region, sided]);
  const choose = (next: TerminologyEntry) => {
    setChosen(next);
    changeKept(before => withRecent(before, next));
    // The terminology's colour is a suggestion for a first name; a renamed segment keeps the colour it is known by.
    const colour = segment.type === null && next.colour !== null ? { colour: next.colour } : {};
    void actions.describeSegment(segment.number, {
      label: suggestedLabel(next, null),
      category: next.category,
      type: next.type,
      region: next.preset?.region ?? null,
      laterality: next.preset?.laterality ?? null,
      ...colour,
    });
  };
  // A label that was suggested follows; one that the person wrote stays.
  const relabelled = (region: Code | null, laterality: Code | null) =>
    entry !== null && segment.label === suggestedLabel(entry, segment.laterality, segment.region)
      ? { label: suggestedLabel(entry, laterality, region) }
      : {};
  const chooseSide = (laterality: Code | null) => {
    void actions.describeSegment(segment.number, { laterality, ...relabelled(segment.region, laterality) });
  };
  const chooseRegion = (next: TerminologyEntry | null) => {
    setChosenRegion(next);
    const region = next?.type ?? null;
    void actions.describeSegment(segment.number, { region, laterality: null, ...relabelled(region, null) });
  };
  const closeOnEscape = (event: KeyboardEvent) => event.key === 'Escape' && onClose();
  return (
    <div
      ref={editor}
      className="dl-editor"
      role="group"
      aria-label="Name of the segment"
      data-cy="delineate-naming"
      onKeyDown={closeOnEscape}
    >
      <NameSearch
        label="Anatomy or finding"
        placeholder="Search, for example kidney"
        among="types"
        testId="delineate-terminology"
        openAtOnce={segment.type === null}
        focusAtOnce
        own={query => offered(kept, query, presets)}
        badge={one => <Origin kept={kept} entry={one} />}
        onChoose={choose}
      />
      {segment.type !== null && (
        <div className="dl-row dl-gap-1">
          <span className="dl-grow dl-clip">
            <span className="dl-truncate" data-cy="delineate-naming-chosen" title={codedName(segment) ?? undefined}>
              {codedName(segment)}
            </span>
            <span className="dl-soft dl-truncate">
              {segment.type.scheme} {segment.type.value}
            </span>
          </span>
          {entry && (
            <IconButton
              icon="star"
              filled={isFavourite(kept, entry)}
              label={isFavourite(kept, entry) ? 'Remove from favourites' : 'Add to favourites'}
              aria-pressed={isFavourite(kept, entry)}
              testId="delineate-favourite"
              onClick={() => changeKept(before => withFavouriteToggled(before, entry))}
            />
          )}
        </div>
      )}
      {(segment.region ?? entry?.takesRegion) && <Region region={segment.region} onChange={chooseRegion} />}
      {sided && sided.lateralities.length > 0 && (
        <Side entry={sided} laterality={segment.laterality} onChange={chooseSide} />
      )}
      <LabelField key={segment.label} segment={segment} />
      <Button testId="delineate-naming-done" wide onClick={onClose}>
        Done
      </Button>
    </div>
  );
}

interface OriginProps {
  readonly kept: KeptEntries;
  readonly entry: TerminologyEntry;
}

function Origin({ kept, entry }: OriginProps): ReactElement {
  if (isFavourite(kept, entry)) {
    return <Icon name="star" size={14} filled />;
  }
  const isRecent = kept.recent.some(one => sameEntry(one, entry));
  return <span className="dl-soft">{(entry.preset && 'preset') ?? (isRecent && 'recent')}</span>;
}

interface RegionProps {
  readonly region: Code | null;
  readonly onChange: (region: TerminologyEntry | null) => void;
}

/** Where a finding is. */
function Region({ region, onChange }: RegionProps): ReactElement {
  if (region === null) {
    return (
      <NameSearch
        label="In which region (optional)"
        placeholder="Search, for example liver"
        among="regions"
        testId="delineate-region"
        onChoose={onChange}
      />
    );
  }
  return (
    <div className="dl-row dl-gap-1">
      <span className="dl-grow dl-clip">
        <span className="dl-soft">In </span>
        <span className="dl-truncate" data-cy="delineate-region-chosen" title={region.meaning}>
          {region.meaning}
        </span>
      </span>
      <IconButton icon="close" label="Remove the region" testId="delineate-region-remove" onClick={() => onChange(null)} />
    </div>
  );
}

interface SideProps {
  readonly entry: TerminologyEntry;
  readonly laterality: Code | null;
  readonly onChange: (laterality: Code | null) => void;
}

function Side({ entry, laterality, onChange }: SideProps): ReactElement {
  return (
    <Choice
      label="Side"
      testId="delineate-laterality"
      value={laterality?.value ?? ''}
      options={[
        { value: '', text: 'No side' },
        ...entry.lateralities.map(side => ({ value: side.value, text: shortSide(side.meaning), title: side.meaning })),
      ]}
      onChange={value => onChange(entry.lateralities.find(side => side.value === value) ?? null)}
    />
  );
}

const shortSide = (meaning: string) => (meaning === 'Right and left' ? 'Both' : meaning);

function LabelField({ segment }: { readonly segment: SegmentState }): ReactElement {
  const actions = useActions();
  const [draft, setDraft] = useState(segment.label);
  const commit = () => {
    const label = draft.trim();
    if (label === '') {
      setDraft(segment.label);
    } else if (label !== segment.label) {
      void actions.describeSegment(segment.number, { label });
    }
  };
  return (
    <label className="dl-field">
      <span className="dl-soft">Label</span>
      <input
        className="dl-input"
        value={draft}
        maxLength={64}
        data-cy="delineate-label"
        onChange={event => setDraft(event.target.value)}
        onBlur={commit}
        onKeyDown={event => event.key === 'Enter' && commit()}
      />
    </label>
  );
}
