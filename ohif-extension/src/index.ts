/** The extension, as OHIF loads it. */

import { commandsModule } from './commandsModule';
import { Activity } from './activity';
import { registerPromptTool } from './host/promptTool';
import type { ExtensionContext } from './host/ohif';
import { Viewer } from './host/viewer';
import { EXTENSION_ID, PANEL_NAME } from './ids';
import { panelModule } from './panelModule';

let activity: Activity | null = null;

function current(): Activity {
  if (activity === null) throw new Error('Delineate is used before the viewer has registered it.');
  return activity;
}

export default {
  id: EXTENSION_ID,

  preRegistration(context: ExtensionContext): void {
    registerPromptTool(new Viewer(context));
    activity = new Activity(context);
  },

  onModeExit(): void {
    current().end();
  },

  getPanelModule() {
    return [panelModule(PANEL_NAME, () => current().controller)];
  },

  getCommandsModule() {
    return commandsModule(
      () => current().controller,
      () => current().history
    );
  },
};
