/** A search for a coded name: a combobox over what the service finds, with what is offered before a search. */
import { useCombobox } from 'downshift';
import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactElement, type ReactNode } from 'react';

import type { SearchAmong, TerminologyEntry } from '../types';
import { eachOnce, useSearch } from './terminology';

interface Props {
  readonly label: string;
  readonly placeholder: string;
  readonly among: SearchAmong;
  /** Begins the names of the parts for tests. */
  readonly testId: string;
  readonly openAtOnce?: boolean;
  readonly focusAtOnce?: boolean;
  /** What comes before everything found, for a query. */
  readonly own?: (query: string) => readonly TerminologyEntry[];
  /** What stands beside an option. */
  readonly badge?: (entry: TerminologyEntry) => ReactNode;
  readonly onChoose: (entry: TerminologyEntry) => void;
}

export function NameSearch(props: Props): ReactElement {
  const { label, placeholder, among, testId, openAtOnce = false, focusAtOnce = false, own, badge, onChoose } = props;
  const [query, setQuery] = useState('');
  const { found, searching } = useSearch(query, among);
  const items = eachOnce([...(own?.(query) ?? []), ...found]);
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
        <span className="dl-soft">{label}</span>
      </label>
      <input
        className="dl-input"
        placeholder={placeholder}
        autoFocus={focusAtOnce}
        data-cy={`${testId}-search`}
        aria-describedby={statusId}
        {...combobox.getInputProps()}
      />
      <div ref={results} className={shown ? 'dl-options' : undefined} data-cy={`${testId}-results`}>
        <ul {...combobox.getMenuProps({ 'aria-label': 'Coded names' })}>
          {combobox.isOpen &&
            items.map((entry, index) => (
              <li
                key={`${entry.type.scheme} ${entry.type.value} ${entry.label}`}
                className="dl-option"
                data-highlighted={combobox.highlightedIndex === index}
                data-cy={`${testId}-option`}
                {...combobox.getItemProps({ item: entry, index })}
              >
                <span className="dl-grow dl-truncate" title={entry.type.meaning}>
                  {entry.label}
                </span>
                {badge?.(entry)}
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

function searchWords(searching: boolean, found: number): string {
  if (searching) {
    return 'Searching…';
  }
  return found === 0 ? 'Nothing found. Try another word, or a more general one.' : '';
}
