/** Name a segment: search the coded anatomy, then the side, then the label as it will be stored. */
import { useCombobox } from 'downshift';
import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactElement } from 'react';

import type { Code, SegmentState, TerminologyEntry } from '../types';
import { useActions } from './controller';
import { Button, Choice, IconButton } from './controls';
import { Icon } from './icons';
import {
  isFavourite,
  offered,
  sameEntry,
  suggestedLabel,
  useEntryOf,
  useKept,
  usePresets,
  useSearch,
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
  const entry = useEntryOf(segment, kept, chosen);
  const editor = useRef<HTMLDivElement>(null);
  useEffect(() => {
    editor.current?.scrollIntoView({ block: 'nearest' });
  }, [segment.type, entry]);
  const choose = (next: TerminologyEntry) => {
    setChosen(next);
    changeKept(before => withRecent(before, next));
    // The terminology's colour is a suggestion for a first name; a renamed segment keeps the colour it is known by.
    const colour = segment.type === null && next.colour !== null ? { colour: next.colour } : {};
    void actions.describeSegment(segment.number, {
      label: suggestedLabel(next, null),
      category: next.category,
      type: next.type,
      laterality: next.side ?? null,
      ...colour,
    });
  };
  const chooseSide = (laterality: Code | null) => {
    const own = entry !== null && segment.label !== suggestedLabel(entry, segment.laterality);
    const label = entry !== null && !own ? { label: suggestedLabel(entry, laterality) } : {};
    void actions.describeSegment(segment.number, { laterality, ...label });
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
      <Search kept={kept} openAtOnce={segment.type === null} onChoose={choose} />
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
      {entry && entry.lateralities.length > 0 && (
        <Side entry={entry} laterality={segment.laterality} onChange={chooseSide} />
      )}
      <LabelField key={segment.label} segment={segment} />
      <Button testId="delineate-naming-done" wide onClick={onClose}>
        Done
      </Button>
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

interface SearchProps {
  readonly kept: KeptEntries;
  readonly openAtOnce: boolean;
  readonly onChoose: (entry: TerminologyEntry) => void;
}

function Search({ kept, openAtOnce, onChoose }: SearchProps): ReactElement {
  const [query, setQuery] = useState('');
  const { found, searching } = useSearch(query);
  const presets = usePresets();
  const items = [...offered(kept, query, found, presets)];
  const statusId = useId();
  const combobox = useCombobox<TerminologyEntry>({
    items,
    inputValue: query,
    selectedItem: null,
    initialIsOpen: openAtOnce,
    defaultHighlightedIndex: 0,
    itemToString: entry => entry?.label ?? '',
    onInputValueChange: ({ inputValue, type }) => {
      const chosen =
        type === useCombobox.stateChangeTypes.ItemClick || type === useCombobox.stateChangeTypes.InputKeyDownEnter;
      setQuery(chosen ? '' : inputValue);
    },
    onSelectedItemChange: ({ selectedItem }) => {
      setQuery('');
      if (selectedItem !== null) {
        onChoose(selectedItem);
      }
    },
  });
  const keepEscape = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && combobox.isOpen) {
      event.stopPropagation();
    }
  };
  const shown = combobox.isOpen && (items.length > 0 || query.trim() !== '');
  const results = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (shown) {
      results.current?.scrollIntoView({ block: 'nearest' });
    }
  }, [shown, items.length]);
  return (
    <div onKeyDown={keepEscape}>
      <label className="dl-field" {...combobox.getLabelProps()}>
        <span className="dl-soft">Anatomy or finding</span>
      </label>
      <input
        className="dl-input"
        placeholder="Search, for example kidney"
        autoFocus
        data-cy="delineate-terminology-search"
        aria-describedby={statusId}
        {...combobox.getInputProps()}
      />
      <div ref={results} className={shown ? 'dl-options' : undefined} data-cy="delineate-terminology-results">
        <ul {...combobox.getMenuProps({ 'aria-label': 'Coded names' })}>
          {combobox.isOpen &&
            items.map((entry, index) => (
              <li
                key={`${entry.type.scheme} ${entry.type.value} ${entry.label}`}
                className="dl-option"
                data-highlighted={combobox.highlightedIndex === index}
                data-cy="delineate-terminology-option"
                {...combobox.getItemProps({ item: entry, index })}
              >
                <span className="dl-grow dl-truncate" title={entry.type.meaning}>
                  {entry.label}
                </span>
                {isFavourite(kept, entry) ? (
                  <Icon name="star" size={14} filled />
                ) : (
                  <span className="dl-soft">{originWords(kept, entry)}</span>
                )}
              </li>
            ))}
        </ul>
        <p id={statusId} className="dl-soft dl-options-status" role="status">
          {shown && searchWords(searching, items.length)}
        </p>
      </div>
    </div>
  );
}

function originWords(kept: KeptEntries, entry: TerminologyEntry): string {
  if (entry.side !== undefined) {
    return 'preset';
  }
  return kept.recent.some(one => sameEntry(one, entry)) ? 'recent' : '';
}

function searchWords(searching: boolean, found: number): string {
  if (searching) {
    return 'Searching…';
  }
  return found === 0 ? 'Nothing found. Try another word, or a more general one.' : '';
}
