/** Says to screen readers what changes on its own. */
import { useEffect, useRef, useState, type ReactElement } from 'react';

import type { PanelState } from '../types';
import { busyWords } from './Prompts';
import { segmentName, volume } from './words';

const RESULT_WORDS = {
  encoding: 'Encoding the segmentation',
  storing: 'Storing the segmentation',
  verifying: 'Verifying the stored segmentation',
  stored: 'The segmentation is stored',
  waiting: 'Waiting for the archive; nothing is lost',
  failed: 'The segmentation was not stored',
} as const;

/** What is worth saying when `before` became `after`, or null. */
export function announcement(before: PanelState, after: PanelState): string | null {
  const result = after.session?.result;
  if (result && result.state !== before.session?.result?.state) {
    return RESULT_WORDS[result.state];
  }
  if (after.connection !== before.connection) {
    return { connecting: 'Connecting', online: 'Connected', offline: 'Connection lost; nothing is lost' }[
      after.connection
    ];
  }
  if (after.preload.state === 'ready' && before.preload.state !== 'ready') {
    return 'The series is ready';
  }
  return segmentNews(before, after);
}

function segmentNews(before: PanelState, after: PanelState): string | null {
  const busy = after.session && busyWords(after.session, after.connection);
  if (busy && busy !== (before.session && busyWords(before.session, before.connection))) {
    return busy;
  }
  const changed = after.session?.segments.find(segment => {
    const old = before.session?.segments.find(one => one.number === segment.number);
    return old !== undefined && old.revision !== segment.revision;
  });
  return changed ? `${segmentName(changed)}: ${volume(changed.volumeMl)}` : null;
}

export function Announcer({ state }: { readonly state: PanelState }): ReactElement {
  const before = useRef(state);
  const [words, setWords] = useState('');
  useEffect(() => {
    const news = announcement(before.current, state);
    before.current = state;
    if (news !== null) {
      setWords(news);
    }
  }, [state]);
  return (
    <div className="dl-hidden" role="status" aria-live="polite" data-cy="delineate-announcer">
      {words}
    </div>
  );
}
