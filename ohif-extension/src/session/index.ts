/** The browser-side session: what the panel shows and calls, over the service and the viewer. */

import type { Actions, Controller, Host, SearchAmong, Settings, Unsubscribe } from '../types';
import type { TerminologyReply } from '../api/wire';
import { Connection } from './connection';
import type { Context } from './context';
import { Opening } from './opening';
import { Outbox } from './outbox';
import { Preload } from './preload';
import { problemOf } from './problems';
import { presetEntry, terminologyEntry } from './replies';
import { Reports } from './reports';
import { readSettings, writeSettings } from './settings';
import { Store, initialState } from './store';

/** What a test replaces. */
export interface Environment {
  readonly fetch?: typeof fetch;
  readonly storage?: Storage | null;
}

/** Start the session of one viewer; it connects at once. */
export function createController(host: Host, environment: Environment = {}): Controller {
  const controller = new SessionController(host, environment);
  controller.begin();
  return controller;
}

class SessionController implements Controller {
  readonly actions: Actions;
  private readonly storage: Storage | null;
  private readonly store: Store;
  private readonly context: Context;
  private readonly connection: Connection;
  private readonly opening: Opening;
  private readonly preload: Preload;
  private readonly reports: Reports;
  private unsubscribes: Unsubscribe[] = [];

  constructor(
    private readonly host: Host,
    environment: Environment
  ) {
    this.storage = environment.storage === undefined ? browserStorage() : environment.storage;
    this.store = new Store(initialState(readSettings(this.storage)));
    this.connection = new Connection(this.store, {
      serviceUrl: () => this.store.state.settings.serviceUrl || (host.configuredServiceUrl() ?? ''),
      authorization: () => host.authorization(),
      fetch: environment.fetch ?? ((input, init) => fetch(input, init)),
      onOnline: () => this.online(),
    });
    this.context = { host, store: this.store, connection: this.connection, outbox: new Outbox(this.storage) };
    this.opening = new Opening(this.context);
    this.preload = new Preload(this.store, this.connection);
    this.reports = new Reports(this.context, () => this.opening.workspace?.session ?? null);
    this.actions = this.makeActions();
  }

  getState = () => this.store.state;
  subscribe = (listener: () => void) => this.store.subscribe(listener);

  begin(): void {
    const { host } = this;
    this.unsubscribes = [
      host.onViewerChanged(() => this.viewerChanged()),
      host.onDrawing(drawing => this.opening.draw(drawing)),
      host.onToolChanged(tool => this.store.update({ tool })),
      host.onPlaneChanged(() => this.planeChanged()),
      this.whenBrowserIsOnline(),
    ];
    this.styleChanged();
    this.viewerChanged();
    void this.connection.connect();
  }

  dispose(): void {
    this.reports.close();
    for (const unsubscribe of this.unsubscribes) unsubscribe();
    this.preload.close();
    this.opening.leave();
    this.connection.close();
  }

  private online(): void {
    this.preload.follow(this.store.state.series, true);
    void this.opening.listResumable();
  }

  private viewerChanged(): void {
    const { host, store } = this;
    const study = host.study();
    const other = study?.studyInstanceUid !== store.state.study?.studyInstanceUid;
    const before = store.state.series;
    const now = { study, series: host.activeSeries(), storedSegmentations: host.storedSegmentations() };
    store.update({
      study: same(store.state.study, now.study),
      series: same(store.state.series, now.series),
      storedSegmentations: same(store.state.storedSegmentations, now.storedSegmentations),
    });
    this.preload.follow(store.state.series);
    if (store.state.series !== before) this.opening.turnTo(store.state.series);
    if (!other) return;
    if (store.state.session !== null) this.opening.leave();
    store.update({ resumable: [] });
    void this.opening.listResumable();
  }

  private planeChanged(): void {
    const geometry = this.opening.workspace?.session.geometry;
    this.store.update({ plane: geometry === undefined ? 'none' : this.host.plane(geometry) });
  }

  private styleChanged(): void {
    const { include, settings } = this.store.state;
    const { includeColour, excludeColour } = settings;
    this.host.setPromptStyle({ include, includeColour, excludeColour });
  }

  private whenBrowserIsOnline(): Unsubscribe {
    if (typeof window === 'undefined') return () => undefined;
    const wake = () => this.connection.pause.wake();
    window.addEventListener('online', wake);
    return () => window.removeEventListener('online', wake);
  }

  private changeSettings(changes: Partial<Settings>): void {
    const { store } = this;
    const before = store.state.settings;
    store.update({ settings: { ...before, ...changes } });
    writeSettings(this.storage, store.state.settings);
    this.styleChanged();
    if (store.state.settings.serviceUrl === before.serviceUrl) return;
    this.opening.leave();
    store.update({ resumable: [], model: null });
    void this.connection.connect();
  }

  private dismissProblem(): void {
    const { session } = this.store.state;
    this.store.update({ notice: null, ...(this.connection.isOnline ? { connectionProblem: null } : {}) });
    this.store.updateSession({ problem: null });
    for (const { number } of session?.segments ?? []) this.store.updateSegment(number, { problem: null });
  }

  /** The verb on the active segment, if there is one. */
  private onActive(verb: (number: number) => void): Promise<void> {
    const number = this.store.state.session?.activeSegment ?? null;
    if (number !== null && this.opening.workspace !== null) verb(number);
    return Promise.resolve();
  }

  private makeActions(): Actions {
    const { host, store, opening } = this;
    const open = () => opening.workspace;
    return {
      start: () => opening.open(host.activeSeries()),
      startVolume: key => opening.openVolume(key),
      resume: id => opening.resume(id),
      openStored: segmentation => opening.openStored(segmentation),
      close: () => opening.close(),
      setTool: tool => {
        store.update({ tool });
        host.setTool(tool);
      },
      setInclude: include => {
        store.update({ include });
        this.styleChanged();
      },
      setPromptsVisible: promptsVisible => {
        store.update({ promptsVisible });
        open()?.table.showPrompts();
      },
      turnToNearestSlicePlane: () => {
        const geometry = open()?.session.geometry;
        if (geometry !== undefined) host.turnToNearestSlicePlane(geometry);
      },
      addSegment: async () => {
        await open()?.segments.add();
      },
      nextSegment: async () => open()?.segments.next(),
      selectSegment: number => open()?.table.activate(number),
      describeSegment: async (number, changes) => open()?.segments.describe(number, changes),
      setVisible: (number, visible) => open()?.segments.setVisible(number, visible),
      askDelete: askDelete => {
        store.update({ askDelete });
      },
      deleteSegment: async number => {
        store.update({ askDelete: null });
        await open()?.segments.delete(number);
      },
      resetSegment: number => {
        open()?.prompting.reset(number);
        return Promise.resolve();
      },
      undo: () => this.onActive(number => open()?.prompting.undo(number, 'panel')),
      redo: () => this.onActive(number => open()?.prompting.redo(number, 'panel')),
      run: () => this.onActive(number => open()?.prompting.run(number)),
      accept: async () => open()?.results.accept(),
      acceptBeside: async () => {
        const newer = store.state.reports?.newer ?? [];
        await open()?.results.accept(newer.map(version => version.sopInstanceUid));
      },
      measure: () => this.reports.measure(),
      listVersions: () => this.reports.listVersions(),
      openVersion: version => opening.openVersion(version),
      exportSegments: formats => this.reports.export(formats),
      retryAccept: async () => open()?.results.retry(),
      showResult: async () => open()?.results.show(),
      searchTerminology: async (query, among) => (await this.terminology(query, among)).entries.map(terminologyEntry),
      sitePresets: async () => (await this.terminology('', 'types')).presets.map(presetEntry),
      changeSettings: changes => this.changeSettings(changes),
      reconnect: () => this.connection.connect(),
      dismissProblem: () => this.dismissProblem(),
    };
  }

  private async terminology(query: string, among: SearchAmong): Promise<TerminologyReply> {
    try {
      return await this.connection.call(client => client.terminology(query, among));
    } catch (error) {
      this.store.updateSession({ problem: problemOf(error) });
      return { entries: [], presets: [] };
    }
  }
}

/** The value from before if the one of now says the same, so that nobody is told of a change. */
function same<T>(before: T, now: T): T {
  return JSON.stringify(before) === JSON.stringify(now) ? before : now;
}

function browserStorage(): Storage | null {
  try {
    return typeof localStorage === 'undefined' ? null : localStorage;
  } catch {
    return null; // forbidden by the browser's settings
  }
}
