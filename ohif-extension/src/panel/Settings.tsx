/** Settings, kept in this browser. */
import { useId, useState, type ReactElement } from 'react';

import type { Settings as SettingsState } from '../types';
import { ColourInput } from './ColourPicker';
import { useActions } from './controller';
import { Choice } from './controls';
import { Icon } from './icons';

export function Settings({ settings }: { readonly settings: SettingsState }): ReactElement {
  const actions = useActions();
  return (
    <details className="dl-settings" data-cy="delineate-settings">
      <summary className="dl-line" data-cy="delineate-settings-toggle">
        <Icon name="settings" size={18} />
        <span className="dl-grow">Settings</span>
        <Icon name="open" size={18} />
      </summary>
      <div className="dl-section-body">
        <Choice
          label="When prompts run"
          testId="delineate-mode"
          value={settings.mode}
          options={[
            { value: 'live', text: 'Run each prompt', title: 'Each prompt runs as soon as it is drawn' },
            { value: 'collect', text: 'Collect, then run', title: 'Prompts are collected until they are run together' },
          ]}
          onChange={mode => actions.changeSettings({ mode })}
        />
        <div className="dl-row dl-gap-2">
          <span className="dl-grow">Colour of include prompts</span>
          <ColourInput
            label="Colour of include prompts"
            colour={settings.includeColour}
            testId="delineate-include-colour"
            onChange={includeColour => actions.changeSettings({ includeColour })}
          />
        </div>
        <div className="dl-row dl-gap-2">
          <span className="dl-grow">Colour of exclude prompts</span>
          <ColourInput
            label="Colour of exclude prompts"
            colour={settings.excludeColour}
            testId="delineate-exclude-colour"
            onChange={excludeColour => actions.changeSettings({ excludeColour })}
          />
        </div>
        <ServiceUrl key={settings.serviceUrl} url={settings.serviceUrl} />
      </div>
    </details>
  );
}

function isServiceUrl(value: string): boolean {
  if (value === '' || value.startsWith('/')) {
    return true;
  }
  try {
    return /^https?:$/.test(new URL(value).protocol);
  } catch {
    return false;
  }
}

function ServiceUrl({ url }: { readonly url: string }): ReactElement {
  const actions = useActions();
  const [draft, setDraft] = useState(url);
  const problemId = useId();
  const value = draft.trim();
  const valid = isServiceUrl(value);
  const commit = () => valid && value !== url && actions.changeSettings({ serviceUrl: value });
  return (
    <label className="dl-field">
      <span className="dl-soft">Address of the service</span>
      <input
        className="dl-input"
        value={draft}
        placeholder="Same as the viewer's"
        inputMode="url"
        spellCheck={false}
        aria-invalid={!valid}
        aria-describedby={problemId}
        data-cy="delineate-service-url"
        onChange={event => setDraft(event.target.value)}
        onBlur={commit}
        onKeyDown={event => event.key === 'Enter' && commit()}
      />
      <span id={problemId} className="dl-warn-text">
        {valid ? '' : 'Give an address that starts with https:// or http://, or leave it empty.'}
      </span>
    </label>
  );
}
