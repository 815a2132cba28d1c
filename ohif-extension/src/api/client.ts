/** The verbs of the service. Every mutation carries an id of the caller's, so that it can be sent again. */

import { type Listening, listen } from './events';
import { NDJSON, linesOf } from './lines';
import { UnreachableError, problemIn } from './problem';
import type { Transport } from './transport';
import type {
  ExportBody,
  ExportReply,
  MeasurementsReply,
  ModelReply,
  OpenSessionBody,
  PatchReply,
  PreloadReply,
  PromptBody,
  ResultReply,
  SegmentBody,
  SegmentReply,
  SessionReply,
  TerminologyReply,
  VersionReply,
} from './wire';

export type StepVerb = 'undo' | 'redo' | 'reset' | 'run';

/** What happens to a prompt before it is done. */
export interface PromptListener {
  /** The service has it for good: it is in the journal, and its place among the prompts is fixed. */
  readonly onTaken: () => void;
  /** What it has done so far; each builds on the one before. */
  readonly onPreview: (patch: PatchReply) => void;
  /** Lets the reply go; cancels nothing. */
  readonly signal: AbortSignal;
}

export class Client {
  constructor(private readonly transport: Transport) {}

  models(signal?: AbortSignal): Promise<ModelReply[]> {
    return this.transport.json('GET', '/models', signal === undefined ? {} : { signal });
  }

  preload(seriesInstanceUid: string, studyInstanceUid: string): Promise<unknown> {
    const body = { study_instance_uid: studyInstanceUid };
    return this.transport.json('PUT', `/preloads/${seriesInstanceUid}`, { body });
  }

  preloadState(seriesInstanceUid: string): Promise<PreloadReply> {
    return this.transport.json('GET', `/preloads/${seriesInstanceUid}`);
  }

  /** Open a session. With `wait` the reply comes when its volume is there; the same key tells of the same session. */
  openSession(body: OpenSessionBody, key: string, options: { wait: boolean }): Promise<SessionReply> {
    const path = `/sessions${options.wait ? '?wait=true' : ''}`;
    return this.transport.json('POST', path, { body, key, patient: options.wait });
  }

  /** The user's own open sessions of a study. */
  sessions(studyInstanceUid: string): Promise<SessionReply[]> {
    return this.transport.json('GET', `/sessions?study_instance_uid=${encodeURIComponent(studyInstanceUid)}`);
  }

  session(id: string): Promise<SessionReply> {
    return this.transport.json('GET', at(id));
  }

  closeSession(id: string): Promise<void> {
    return this.transport.json('DELETE', at(id));
  }

  addSegment(id: string, body: SegmentBody, key: string): Promise<SegmentReply> {
    return this.transport.json('POST', `${at(id)}/segments`, { body, key });
  }

  changeSegment(id: string, number: number, body: SegmentBody, key: string): Promise<SegmentReply> {
    return this.transport.json('PATCH', at(id, number), { body, key });
  }

  deleteSegment(id: string, number: number, key: string): Promise<void> {
    return this.transport.json('DELETE', at(id, number), { key });
  }

  /**
   * Send a prompt; resolves with what it did.
   */
  async prompt(
    id: string,
    number: number,
    body: PromptBody,
    { onTaken, onPreview, signal }: PromptListener
  ): Promise<PatchReply> {
    const response = await this.transport.send('POST', `${at(id, number)}/prompts`, { body, accept: NDJSON, signal });
    onTaken();
    for await (const line of linesOf(response, signal)) {
      const problem = problemIn(line);
      if (problem !== null) throw problem;
      const patch = line as PatchReply;
      if (patch.final) return patch;
      onPreview(patch);
    }
    throw new UnreachableError('The connection was lost before the reply was complete.');
  }

  /** Undo, redo, reset, or run what was collected. */
  step(id: string, number: number, verb: StepVerb, key: string): Promise<PatchReply> {
    return this.transport.json('POST', `${at(id, number)}/${verb}`, { key, patient: verb === 'run' });
  }

  labelmap(id: string, number: number): Promise<PatchReply> {
    return this.transport.json('GET', `${at(id, number)}/labelmap`);
  }

  /** Accept; `known` are newer versions to store beside. */
  accept(id: string, key: string, known: readonly string[] = []): Promise<ResultReply> {
    const body = known.length > 0 ? { known_versions: known } : {};
    return this.transport.json('POST', `${at(id)}/accept`, { body, key });
  }

  measurements(id: string): Promise<MeasurementsReply> {
    return this.transport.json('GET', `${at(id)}/measurements`, { patient: true });
  }

  segmentations(studyInstanceUid: string, seriesInstanceUid: string): Promise<VersionReply[]> {
    const query = `study_instance_uid=${encodeURIComponent(studyInstanceUid)}`;
    return this.transport.json('GET', `/series/${seriesInstanceUid}/segmentations?${query}`);
  }

  requestExport(id: string, body: ExportBody, key: string): Promise<ExportReply> {
    return this.transport.json('POST', `${at(id)}/exports`, { body, key });
  }

  export(exportId: string): Promise<ExportReply> {
    return this.transport.json('GET', `/exports/${encodeURIComponent(exportId)}`);
  }

  async exportFile(exportId: string): Promise<Blob> {
    const path = `/exports/${encodeURIComponent(exportId)}/file`;
    return (await this.transport.send('GET', path, { accept: 'application/zip', patient: true })).blob();
  }

  result(resultId: string): Promise<ResultReply> {
    return this.transport.json('GET', `/results/${resultId}`);
  }

  retryResult(resultId: string): Promise<ResultReply> {
    return this.transport.json('POST', `/results/${resultId}/retry`);
  }

  terminology(query: string, among: 'types' | 'regions'): Promise<TerminologyReply> {
    return this.transport.json('GET', `/terminology?q=${encodeURIComponent(query)}&among=${among}`);
  }

  listen(id: string, listening: Listening): Promise<void> {
    return listen(this.transport, `${at(id)}/events`, listening);
  }
}

function at(id: string, number?: number): string {
  return `/sessions/${encodeURIComponent(id)}${number === undefined ? '' : `/segments/${number}`}`;
}
