/** Failures in words for a radiologist: what happened, and what to do. */

import { ProblemError, UnreachableError } from '../api/problem';
import type { Problem } from '../types';

/** Titles that say it shorter, or with less of the service in it, than the service's own. */
const TITLES: Readonly<Record<string, string>> = {
  'prompt-outside-volume': 'Drawn outside the images',
  'wrong-frame-of-reference': 'Drawn on images that cannot be compared',
  'prompt-plane-mismatch': 'The drawing does not lie in one plane',
  'prompt-plane-unsupported': 'Not possible on an oblique plane',
  'prompt-reference-mismatch': 'The drawing does not lie on its image',
  'prompt-malformed': 'The drawing cannot be used',
  'prompt-kind-unsupported': 'The model does not take this kind of prompt',
  'segment-locked': 'The segment is locked',
  'segment-empty': 'A segment is empty',
  'segment-unnamed': 'A segment has no coded name',
  'prediction-failed': 'The model failed on this prompt',
  'segmenter-busy': 'The model is busy',
  'archive-unreachable': 'The archive does not answer',
  'archive-timeout': 'The archive does not answer',
  'not-authenticated': 'Sign in again',
  'not-permitted': 'Not permitted',
  'session-not-found': 'The session is not there any more',
  'session-closed': 'The session was closed',
};

export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) {
    const { title, detail } = error.document;
    return { type: error.type, title: TITLES[error.type] ?? title.replace(/\.$/, ''), detail };
  }
  if (error instanceof UnreachableError) return offlineProblem(error);
  const detail = error instanceof Error ? error.message : String(error);
  return {
    type: 'viewer',
    title: 'The viewer could not do this',
    detail: `${detail} Nothing is lost in the service; reload the page if it happens again.`,
  };
}

export function offlineProblem(error: UnreachableError): Problem {
  return {
    type: 'offline',
    title: 'No connection to the segmentation service',
    detail: `${error.reason} It is tried again and again; what you draw meanwhile is kept and sent then.`,
  };
}

/** Answers that need no words: what was asked for is so already, or was taken back by the user. */
export function isSilent(error: unknown): boolean {
  return (
    error instanceof ProblemError && ['prompt-cancelled', 'nothing-to-undo', 'nothing-to-redo'].includes(error.type)
  );
}
