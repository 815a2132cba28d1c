/**
 * The viewer's own idea of our tools: one tool without a body, so that the viewer's toolbar, cursors and primary button
 * know that something of ours is active. The drawing itself is done by `strokes.ts`.
 */

import type { ToolClass, ToolGroup } from './cornerstone';
import type { Viewer } from './viewer';

export const PROMPT_TOOL = 'DelineatePrompt';

/** Marks the page while the tool is armed, for the cursor. */
const ARMED = 'delineate-armed';

/** Groups that have this tool hold slices; the 3D and SR groups do not take prompts. */
const SLICE_TOOL = 'StackScroll';

interface ToolActivated {
  readonly toolName: string;
  readonly toolBindingsOptions?: { readonly bindings?: readonly { readonly mouseButton?: number }[] };
}

/** Make the tool known to cornerstone; once for each page. */
export function registerPromptTool(viewer: Viewer): void {
  const Base = viewer.tools.BaseTool as new (...properties: never[]) => object;
  const tool: ToolClass = class extends Base {
    static toolName = PROMPT_TOOL;
  };
  viewer.tools.addTool(tool);
}

export class PromptTool {
  /** The viewer's own primary tool of each tool group, to be given back. */
  private readonly before = new Map<string, string>();
  private arming = false;
  private armed = false;
  private readonly style = document.createElement('style');
  private readonly removal = new AbortController();

  constructor(
    private readonly viewer: Viewer,
    private readonly onTakenAway: () => void
  ) {
    this.style.textContent = `.${ARMED} [data-viewport-uid] { cursor: crosshair !important; }`;
    document.head.append(this.style);
    const listener = (event: Event) => this.onToolActivated((event as CustomEvent<ToolActivated>).detail);
    viewer.core.eventTarget.addEventListener(viewer.tools.Enums.Events.TOOL_ACTIVATED, listener, {
      signal: this.removal.signal,
    });
  }

  arm(): void {
    document.body.classList.add(ARMED);
    if (this.armed) return;
    this.armed = true;
    for (const group of this.groups()) {
      const current = group.getActivePrimaryMouseButtonTool();
      if (current !== undefined && current !== PROMPT_TOOL) this.before.set(group.id, current);
      if (!group.hasTool(PROMPT_TOOL)) group.addTool(PROMPT_TOOL);
      this.activate(group.id, PROMPT_TOOL);
    }
    this.refreshToolbar();
  }

  /** Give the primary button back to the tools that had it. */
  disarm(): void {
    document.body.classList.remove(ARMED);
    if (!this.armed) return;
    this.armed = false;
    for (const group of this.groups()) {
      const tool = this.before.get(group.id);
      if (tool !== undefined && group.getActivePrimaryMouseButtonTool() === PROMPT_TOOL) this.activate(group.id, tool);
    }
    this.refreshToolbar();
  }

  dispose(): void {
    this.removal.abort();
    document.body.classList.remove(ARMED);
    this.style.remove();
  }

  private groups(): readonly ToolGroup[] {
    return this.viewer.tools.ToolGroupManager.getAllToolGroups().filter(group => group.hasTool(SLICE_TOOL));
  }

  private activate(toolGroupId: string, toolName: string): void {
    this.arming = true;
    try {
      this.viewer.context.commandsManager.runCommand('setToolActive', { toolName, toolGroupId });
    } finally {
      this.arming = false;
    }
  }

  private onToolActivated({ toolName, toolBindingsOptions }: ToolActivated): void {
    if (!this.armed || this.arming || toolName === PROMPT_TOOL) return;
    const primary = this.viewer.tools.Enums.MouseBindings.Primary;
    if (toolBindingsOptions?.bindings?.some(binding => binding.mouseButton === primary) !== true) return;
    this.armed = false;
    document.body.classList.remove(ARMED);
    this.onTakenAway();
  }

  private refreshToolbar(): void {
    const viewportId = this.viewer.services.viewportGridService.getActiveViewportId();
    this.viewer.services.toolbarService.refreshToolbarState({ viewportId });
  }
}
