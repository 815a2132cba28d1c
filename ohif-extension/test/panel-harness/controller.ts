/** A controller whose state is set by hand and whose actions are written down. */
import type { Actions, Controller, PanelState } from '../../src/types';
import { TERMINOLOGY } from './states';

export type Call = readonly [name: keyof Actions, ...args: readonly unknown[]];

/** Actions change nothing but what the views need to show: the chosen segment and its description. */
export class HandMadeController implements Controller {
  readonly calls: Call[] = [];
  readonly actions: Actions;
  private readonly listeners = new Set<() => void>();

  constructor(private state: PanelState) {
    const told =
      (name: keyof Actions) =>
      (...args: unknown[]): void => {
        this.calls.push([name, ...args]);
      };
    const note =
      (name: keyof Actions) =>
      (...args: unknown[]): Promise<void> => {
        this.calls.push([name, ...args]);
        return Promise.resolve();
      };
    this.actions = {
      start: note('start'),
      startVolume: note('startVolume'),
      resume: note('resume'),
      openStored: note('openStored'),
      close: note('close'),
      setTool: told('setTool'),
      setInclude: told('setInclude'),
      setPromptsVisible: told('setPromptsVisible'),
      turnToNearestSlicePlane: told('turnToNearestSlicePlane'),
      addSegment: note('addSegment'),
      nextSegment: note('nextSegment'),
      selectSegment: number => {
        this.calls.push(['selectSegment', number]);
        this.changeSession({ activeSegment: number });
      },
      describeSegment: (number, changes) => {
        this.calls.push(['describeSegment', number, changes]);
        const segments = this.state.session?.segments ?? [];
        this.changeSession({ segments: segments.map(one => (one.number === number ? { ...one, ...changes } : one)) });
        return Promise.resolve();
      },
      setVisible: told('setVisible'),
      askDelete: number => {
        this.show({ ...this.state, askDelete: number });
      },
      deleteSegment: note('deleteSegment'),
      resetSegment: note('resetSegment'),
      undo: note('undo'),
      redo: note('redo'),
      run: note('run'),
      accept: note('accept'),
      acceptBeside: note('acceptBeside'),
      measure: note('measure'),
      listVersions: note('listVersions'),
      openVersion: note('openVersion'),
      exportSegments: note('exportSegments'),
      retryAccept: note('retryAccept'),
      showResult: note('showResult'),
      searchTerminology: (query, among) => {
        this.calls.push(['searchTerminology', query, among]);
        const word = query.toLowerCase();
        const hit = (text: string) => text.toLowerCase().includes(word);
        const searched = among === 'types' ? TERMINOLOGY : TERMINOLOGY.filter(one => !one.takesRegion);
        return Promise.resolve(searched.filter(one => hit(one.label) || hit(one.type.meaning)));
      },
      sitePresets: () => Promise.resolve([]),
      changeSettings: changes => {
        this.calls.push(['changeSettings', changes]);
        this.show({ ...this.state, settings: { ...this.state.settings, ...changes } });
      },
      reconnect: note('reconnect'),
      dismissProblem: told('dismissProblem'),
    };
  }

  getState(): PanelState {
    return this.state;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  dispose(): void {
    this.listeners.clear();
  }

  show(state: PanelState): void {
    this.state = state;
    this.listeners.forEach(listener => listener());
  }

  private changeSession(changes: Partial<NonNullable<PanelState['session']>>): void {
    if (this.state.session !== null) {
      this.show({ ...this.state, session: { ...this.state.session, ...changes } });
    }
  }
}
