// Requests to the venue that serves this page: a sandbox, or a venue, which shows itself to an operator's key alone.
export const isVenue = document.documentElement.dataset['root'] === 'venue';
const BASE = isVenue ? '/admin' : '/sandbox';

/** The path at which this venue shows itself. */
export const shownAt = (path: string): string => BASE + path;

let key: string | null = null;

/** Of an operator, with each request to `/admin`, and to nothing else. */
export function sendKey(given: string | null): void {
  key = given;
}

export class Refused extends Error {
  constructor(readonly status: number, message: string, readonly body: unknown) { super(message); }
}

function send(method: string, path: string, headers: Record<string, string>, body?: unknown, until?: AbortSignal): Promise<Response> {
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (key && path.startsWith('/admin')) headers['x-api-key'] = key;
  return fetch(path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }), ...(until && { signal: until }) }).catch((problem: Error) => {
    throw problem.name === 'AbortError' ? problem : new Error('the venue does not answer');
  });
}

async function refusal(answer: Response): Promise<Refused> {
  const read = readable(await answer.text());
  return new Refused(answer.status, wordsOf(read) ?? `${answer.status}`, read);
}

/** Raises what the venue says of a key that does not open it. */
export async function tryKey(given: string): Promise<void> {
  const answer = await fetch(shownAt('/venue'), { headers: { 'x-api-key': given } });
  if (!answer.ok) throw await refusal(answer);
}

export async function ask<T>(method: string, path: string, body?: unknown, token?: string, until?: AbortSignal): Promise<T> {
  const answer = await send(method, path, token ? { authorization: `Bearer ${token}` } : {}, body, until);
  if (!answer.ok) throw await refusal(answer);
  return readable(await answer.text()) as T;
}

function readable(text: string): unknown {
  try { return JSON.parse(text); } catch { return text; }
}

function wordsOf(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null) return typeof body === 'string' && body ? body : undefined;
  const { error, message, details } = body as { error?: unknown; message?: unknown; details?: unknown };
  if (typeof error === 'object') return wordsOf(error);
  const words = typeof error === 'string' ? error : typeof message === 'string' ? message : undefined;
  return words && details ? `${words}: ${JSON.stringify(details)}` : words;
}

export interface Told { event: string; data: string; id: string }

/** Server-sent events until the venue hangs up. An `EventSource` sends no key. */
export async function* told(path: string, until: AbortSignal): AsyncGenerator<Told> {
  const answer = await send('GET', path, { accept: 'text/event-stream' }, undefined, until);
  if (!answer.ok || !answer.body) throw await refusal(answer);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const pieces = (rest + value).split('\n\n');
    rest = pieces.pop() ?? '';
    for (const piece of pieces) {
      const event: Told = { event: '', data: '', id: '' };
      for (const line of piece.split('\n')) {
        const at = line.indexOf(': ');
        const name = line.slice(0, at);
        if (name === 'event' || name === 'data' || name === 'id') event[name] = line.slice(at + 2);
      }
      if (event.event) yield event;
    }
  }
}

export async function rpc<T>(method: string, ...params: unknown[]): Promise<T> {
  const { result, error } = await ask<{ result: T; error?: { message: string } }>('POST', '/rpc', { jsonrpc: '2.0', id: 1, method, params });
  if (error) throw new Error(error.message);
  return result;
}
