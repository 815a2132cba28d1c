/** Replies that arrive line by line, one JSON document each (application/x-ndjson). */

import { translated } from './transport';

export const NDJSON = 'application/x-ndjson';

/** The chunks of a body as text; an UnreachableError when the connection breaks. */
export async function* textOf(response: Response, signal?: AbortSignal): AsyncIterableIterator<string> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield decoder.decode(value, { stream: true });
    }
  } catch (error) {
    throw translated(error, signal);
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

export async function* linesOf(response: Response, signal?: AbortSignal): AsyncIterableIterator<unknown> {
  const parts: string[] = [];
  for await (const text of textOf(response, signal)) {
    const pieces = text.split('\n');
    parts.push(pieces[0]!);
    for (const piece of pieces.slice(1)) {
      yield* documentIn(parts.join(''));
      parts.length = 0;
      parts.push(piece);
    }
  }
  yield* documentIn(parts.join(''));
}

function* documentIn(line: string): IterableIterator<unknown> {
  if (line.trim() === '') return;
  try {
    yield JSON.parse(line) as unknown;
  } catch (error) {
    throw translated(error);
  }
}
