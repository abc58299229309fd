import { randomUUID } from 'node:crypto';

export type AskedOfEngine = [method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object];

/** A request of the operator or the host; a POST has a new idempotency key. @throws what is wrong with it */
export async function askEngine(url: string, ...[method, path, body]: AskedOfEngine): Promise<unknown> {
  const headers = { ...method === 'POST' ? { 'idempotency-key': randomUUID() } : {}, ...body === undefined ? {} : { 'content-type': 'application/json' } };
  const reply = await fetch(`${url}${path}`, { method, headers, ...body === undefined ? {} : { body: JSON.stringify(body) } });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text.slice(0, 500)}`);
  return text === '' ? undefined : JSON.parse(text);
}
