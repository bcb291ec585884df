// Requests to the venue that serves this page.

export class Refused extends Error {
  constructor(readonly status: number, message: string, readonly body: unknown) { super(message); }
}

export async function ask<T>(method: string, path: string, body?: unknown, token?: string): Promise<T> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (token) headers['authorization'] = `Bearer ${token}`;
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  let read: unknown = text;
  try { read = JSON.parse(text); } catch { /* No JSON: a text. */ }
  if (!answer.ok) throw new Refused(answer.status, wordsOf(read) ?? `${answer.status}`, read);
  return read as T;
}

function wordsOf(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null) return typeof body === 'string' && body ? body : undefined;
  const { error, message, details } = body as { error?: unknown; message?: unknown; details?: unknown };
  const words = typeof error === 'string' ? error : typeof message === 'string' ? message : undefined;
  return words && details ? `${words}: ${JSON.stringify(details)}` : words;
}

export async function rpc<T>(method: string, ...params: unknown[]): Promise<T> {
  const { result, error } = await ask<{ result: T; error?: { message: string } }>('POST', '/rpc', { jsonrpc: '2.0', id: 1, method, params });
  if (error) throw new Error(error.message);
  return result;
}
