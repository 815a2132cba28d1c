/** Host and controller while a mode is open: made when first needed, gone when the mode is left. */

import { ViewerHost } from './host';
import type { ViewerHistory } from './commandsModule';
import type { ExtensionContext } from './host/ohif';
import { Viewer } from './host/viewer';
import { createController } from './session';
import type { Controller, Host } from './types';

/** For the browser's console and for tests; nothing depends on it. */
interface DebuggingHandle {
  readonly host: Host;
  readonly controller: Controller;
}

declare global {
  interface Window {
    delineate?: DebuggingHandle | undefined;
  }
}

export class Activity {
  private live: { readonly host: ViewerHost; readonly controller: Controller } | null = null;

  constructor(private readonly context: ExtensionContext) {}

  get controller(): Controller {
    if (this.live === null) {
      const host = new ViewerHost(this.context);
      this.live = { host, controller: createController(host) };
      window.delineate = this.live;
    }
    return this.live.controller;
  }

  get history(): ViewerHistory {
    return new Viewer(this.context).core.utilities.HistoryMemo.DefaultHistoryMemo;
  }

  /** Never throws: an error while a mode is left would take the whole viewer off the page. */
  end(): void {
    const { live } = this;
    this.live = null;
    window.delineate = undefined;
    attempt(() => live?.controller.dispose());
    attempt(() => live?.host.dispose());
  }
}

function attempt(step: () => void): void {
  try {
    step();
  } catch (error) {
    console.error('Delineate:', error);
  }
}
