/**
 * Where the time of a prompt goes, as `performance` measures for the benchmark. The only place that knows their names.
 *
 * Each finished prompt of this window leaves six measures, whose `detail` is `{promptId}`:
 *
 *     delineate:event    mouse-up                      to  the request is handed to the browser
 *     delineate:request  the whole way to the service and back, without what the service says it took
 *     delineate:service  the service: waiting for the device, the model, packing the patch (its `timing_ms`)
 *     delineate:decode   patch arrived                 to  voxels unpacked
 *     delineate:write    the viewer's labelmap written
 *     delineate:render   written                       to  all viewports rendered
 */

import type { PatchReply } from '../api/wire';
import type { PaintTiming } from '../types';

const NAMES = ['event', 'request', 'service', 'decode', 'write', 'render'] as const;
type Name = (typeof NAMES)[number];

/** Older measures are dropped, so that a long session does not fill the memory. */
const KEPT_PROMPTS = 500;

let prompts = 0;

/** Moments of one prompt, in `performance.now()`. */
export interface PromptMoments {
  readonly promptId: string;
  readonly finishedAt: number;
  readonly sentAt: number;
  readonly arrivedAt: number;
  readonly decodedAt: number;
}

export function measurePrompt(moments: PromptMoments, timing: PatchReply['timing_ms'], paint: PaintTiming): void {
  const { promptId, finishedAt, sentAt, arrivedAt, decodedAt } = moments;
  if (++prompts % KEPT_PROMPTS === 0) for (const name of NAMES) performance.clearMeasures(`delineate:${name}`);
  const service = Math.min(timing.queue + timing.model + timing.encode, arrivedAt - sentAt);
  const measure = (name: Name, start: number, duration: number) =>
    performance.measure(`delineate:${name}`, { start, duration: Math.max(0, duration), detail: { promptId } });
  measure('event', finishedAt, sentAt - finishedAt);
  measure('request', sentAt, arrivedAt - sentAt - service);
  measure('service', arrivedAt - service, service);
  measure('decode', arrivedAt, decodedAt - arrivedAt);
  measure('write', decodedAt, paint.write);
  measure('render', decodedAt + paint.write, paint.render);
}
