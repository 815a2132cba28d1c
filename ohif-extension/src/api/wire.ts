/** The service's documents, by the names that the client uses; generated from its OpenAPI (schema.d.ts). */

import type { components } from './schema';

type Schemas = components['schemas'];

export type ModelReply = Schemas['ModelReply'];
export type SessionReply = Schemas['SessionReply'];
export type SegmentReply = Schemas['SegmentReply'];
export type PromptReply = Schemas['PromptReply'];
export type PatchReply = Schemas['PatchReply'];
export type ResultReply = Schemas['ResultReply'];
export type PreloadReply = Schemas['PreloadReply'];
export type TerminologyReply = Schemas['TerminologyReply'];
export type MeasurementsReply = Schemas['MeasurementsReply'];
export type MeasuresReply = Schemas['MeasuresReply'];
export type VersionReply = Schemas['VersionReply'];
export type ExportReply = Schemas['ExportReply'];
/** The kinds of server-sent events, and what each carries. */
export type SessionEvents = Schemas['SessionEvents'];

export type OpenSessionBody = Schemas['OpenSession'];
export type PromptBody = Schemas['SubmitPrompt'];
export type SegmentBody = Schemas['DescribeSegment'];
export type ExportBody = Schemas['RequestExport'];
