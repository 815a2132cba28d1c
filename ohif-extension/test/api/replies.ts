/** Replies of a service, made by hand. */

export function problemReply(status: number, type: string, headers: Record<string, string> = {}, members = {}): Response {
  const document = { type: `urn:delineate:problem:${type}`, title: 'No.', status, detail: 'Because.', ...members };
  return new Response(JSON.stringify(document), {
    status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
  });
}

/** A reply whose body arrives in these pieces, and then ends or breaks. */
export function streamed(pieces: readonly string[], breaks = false): Response {
  const encoder = new TextEncoder();
  const left = [...pieces];
  const body = new ReadableStream<Uint8Array>({
    pull(stream) {
      const piece = left.shift();
      if (piece !== undefined) stream.enqueue(encoder.encode(piece));
      else if (breaks) stream.error(new TypeError('network error'));
      else stream.close();
    },
  });
  return new Response(body, { status: 200 });
}
