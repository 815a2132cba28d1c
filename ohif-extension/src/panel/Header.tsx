/** Whose images these are, and what answers: patient, study, series, connection, model. */
import type { ReactElement } from 'react';

import type { Connection, ModelState, PanelState } from '../types';
import { useActions, usePending } from './controller';
import { Badge, Button, Notice, ProblemNotice } from './controls';
import { personName, studyDate } from './words';

const CONNECTION_WORDS: Readonly<Record<Connection, string>> = {
  connecting: 'Connecting',
  online: 'Online',
  offline: 'Offline',
};

export function Header({ state }: { readonly state: PanelState }): ReactElement {
  const { study } = state;
  const series = state.session?.series ?? state.series;
  return (
    <header className="dl-header">
      <div className="dl-row dl-gap-2">
        <h1 className="dl-grow dl-truncate" title={study?.patientName} data-cy="delineate-patient">
          {study ? personName(study.patientName) || 'No name' : 'No study'}
        </h1>
        <span
          className={`dl-connection dl-connection-${state.connection}`}
          data-cy="delineate-connection"
          data-state={state.connection}
        >
          {CONNECTION_WORDS[state.connection]}
        </span>
      </div>
      {study && (
        <p className="dl-truncate dl-soft" data-cy="delineate-study">
          {[study.patientId && `ID ${study.patientId}`, studyDate(study.date), study.description]
            .filter(Boolean)
            .join(' · ')}
        </p>
      )}
      {series && (
        <p className="dl-truncate dl-soft" title={series.description} data-cy="delineate-series">
          {[series.modality, series.description || 'No description', `${series.instances} images`].join(' · ')}
        </p>
      )}
      {state.model && <ModelLine model={state.model} />}
      <ConnectionProblem state={state} />
    </header>
  );
}

function ModelLine({ model }: { readonly model: ModelState }): ReactElement {
  return (
    <div className="dl-model" data-cy="delineate-model" data-demo={model.demo}>
      {model.demo && (
        <Badge
          tone="warn"
          testId="delineate-model-demo"
          title="A small model trained on synthetic shapes, to try Delineate with."
        >
          Demo model
        </Badge>
      )}
      <span className="dl-truncate" title={model.name}>
        {model.name}
      </span>
      <span
        className="dl-soft dl-licence"
        title={`Licence of the model: ${model.licence}`}
        data-cy="delineate-model-licence"
      >
        Licence: {model.licence}
      </span>
    </div>
  );
}

function ConnectionProblem({ state }: { readonly state: PanelState }): ReactElement | null {
  const actions = useActions();
  const [pending, start] = usePending();
  const again = (
    <Button testId="delineate-reconnect" disabled={pending} onClick={() => start(() => actions.reconnect())}>
      {pending ? 'Trying…' : 'Try again'}
    </Button>
  );
  if (state.connectionProblem) {
    return <ProblemNotice problem={state.connectionProblem} testId="delineate-connection-problem" actions={again} />;
  }
  if (state.connection === 'offline') {
    return (
      <Notice tone="bad" role="alert" testId="delineate-connection-problem" actions={again}>
        <strong>No connection to the Delineate service.</strong>
        <p>It is tried again by itself. Nothing is lost.</p>
      </Notice>
    );
  }
  if (state.connection === 'online' && state.model === null) {
    return (
      <Notice tone="bad" role="alert" testId="delineate-model-missing" actions={again}>
        <strong>The service has no model.</strong>
        <p>Prompts cannot run. Tell the administrator that no model is installed.</p>
      </Notice>
    );
  }
  return null;
}
