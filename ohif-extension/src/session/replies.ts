/** From the service's documents to the panel's state. */

import type { ResultReply, SegmentReply, SessionReply, TerminologyReply } from '../api/wire';
import type {
  Code,
  Geometry,
  ResultState,
  ResumableSession,
  SegmentState,
  SliceSource,
  TerminologyEntry,
} from '../types';

type CodeReply = NonNullable<SegmentReply['type']>;

function code(reply: CodeReply | null): Code | null {
  return reply && { value: reply.value, scheme: reply.scheme, meaning: reply.meaning };
}

/** A segment as the service describes it, with what only this window knows of it. */
export function segmentState(reply: SegmentReply, before?: SegmentState): SegmentState {
  const newer = before === undefined || reply.revision >= before.revision;
  return {
    number: reply.number,
    label: reply.label,
    category: code(reply.category),
    type: code(reply.type),
    region: code(reply.region),
    laterality: code(reply.laterality),
    colour: reply.colour,
    locked: reply.locked,
    canUndo: before?.canUndo ?? reply.can_undo,
    canRedo: before?.canRedo ?? reply.can_redo,
    volumeMl: newer ? reply.volume_ml : before.volumeMl,
    revision: before?.revision ?? 0,
    queuePosition: reply.queue_position,
    visible: before?.visible ?? true,
    running: before?.running ?? 0,
    collected: before?.collected ?? 0,
    problem: before?.problem ?? null,
  };
}

export function resultState(reply: ResultReply): ResultState {
  return {
    id: reply.id,
    state: reply.state,
    reason: reply.reason ?? reply.problem,
    nextTryAt: reply.next_try_at,
    seriesInstanceUid: reply.series_instance_uid,
    sopInstanceUid: reply.sop_instance_uid,
    reportProblem: reply.documents.find(document => document.state === 'failed')?.reason ?? null,
  };
}

export function terminologyEntry({ takes_region, ...entry }: TerminologyReply['entries'][number]): TerminologyEntry {
  return { ...entry, takesRegion: takes_region };
}

/** A preset of the site, as something to choose among the terminology's entries. */
export function presetEntry({ region, laterality, ...preset }: TerminologyReply['presets'][number]): TerminologyEntry {
  return { ...preset, lateralities: [], takesRegion: false, preset: { region, laterality } };
}

/** Whether a result goes on changing by itself. */
export function isUnderway(result: ResultState): boolean {
  return result.state !== 'stored' && result.state !== 'failed';
}

export function geometryOf(reply: NonNullable<SessionReply['geometry']>): Geometry {
  return { shape: reply.shape, affine: reply.affine, frameOfReferenceUid: reply.frame_of_reference_uid };
}

export function slicesOf(reply: SessionReply): SliceSource[] {
  return reply.slices.map(s => ({ sopInstanceUid: s.sop_instance_uid, frameNumber: s.frame_number }));
}

/** Sessions that are worth going on with, the newest first. */
export function resumable(replies: readonly SessionReply[], openId: string | null): ResumableSession[] {
  return replies
    .filter(reply => reply.id !== openId && reply.segments.length > 0)
    .map(reply => ({
      id: reply.id,
      seriesInstanceUid: reply.series_instance_uid,
      segments: reply.segments.map(s => s.label),
      touchedAt: reply.touched_at,
    }))
    .sort((a, b) => b.touchedAt - a.touchedAt);
}
