/**
 * How a request can fail:
 *
 *     Error
 *     ├── ProblemError       the service said no, with an RFC 9457 problem document
 *     └── UnreachableError   nobody answered, or a gateway with no service behind it
 */

const TYPE_PREFIX = 'urn:delineate:problem:';
const MEDIA_TYPE = 'application/problem+json';

export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly [member: string]: unknown;
}

/** The service refused a request. */
export class ProblemError extends Error {
  /** The last part of the document's type, such as `prompt-outside-volume`. */
  readonly type: string;

  constructor(
    readonly document: ProblemDocument,
    readonly retryAfterMs: number | null = null
  ) {
    super(`${document.title} ${document.detail}`);
    this.name = 'ProblemError';
    this.type = document.type.startsWith(TYPE_PREFIX) ? document.type.slice(TYPE_PREFIX.length) : document.type;
  }

  /** Whether the same request may succeed later. */
  get passes(): boolean {
    if (this.type === 'session-loading') return true;
    return [408, 429, 503, 504].includes(this.document.status);
  }

  /** Whether the user has to sign in first. */
  get isSignIn(): boolean {
    return this.document.status === 401;
  }
}

/** Nobody answered. */
export class UnreachableError extends Error {
  constructor(
    readonly reason: string,
    options?: ErrorOptions
  ) {
    super(reason, options);
    this.name = 'UnreachableError';
  }
}

/** What a reply that is no success says. */
export async function failureOf(response: Response): Promise<ProblemError | UnreachableError> {
  const document = await documentOf(response);
  if (document !== null) return new ProblemError(document, retryAfterOf(response));
  if ([502, 503, 504].includes(response.status)) {
    return new UnreachableError(`The gateway answered ${response.status}: the service is not running.`);
  }
  const detail = `${response.url} answered ${response.status} and is no Delineate service. Check the service address.`;
  return new ProblemError({
    type: 'unexpected-reply',
    title: 'Unexpected reply.',
    status: response.status,
    detail,
  });
}

/** The problem document in a line of a streamed reply, or null. */
export function problemIn(line: unknown): ProblemError | null {
  return isDocument(line) ? new ProblemError(line) : null;
}

async function documentOf(response: Response): Promise<ProblemDocument | null> {
  if (!(response.headers.get('Content-Type') ?? '').startsWith(MEDIA_TYPE)) return null;
  try {
    const document: unknown = await response.json();
    return isDocument(document) ? document : null;
  } catch {
    return null;
  }
}

function isDocument(value: unknown): value is ProblemDocument {
  if (typeof value !== 'object' || value === null) return false;
  const { type, title, status, detail } = value as Record<string, unknown>;
  return [type, title, detail].every(text => typeof text === 'string') && typeof status === 'number';
}

function retryAfterOf(response: Response): number | null {
  const seconds = Number(response.headers.get('Retry-After') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null;
}
