import { randomUUID } from 'node:crypto';
import { pause } from '../../src/util/pause.js';

const ASK_LIMITS = {
  /** Between two tries of a request that the engine had no time for, ms; and how many there are. */
  againMs: 250, triesMax: 40,
} as const;

export type AskedOfEngine = [method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object];

/** A request of the operator or the host; a POST has a new idempotency key. @throws what is wrong with it */
export async function askEngine(url: string, ...asked: AskedOfEngine): Promise<unknown> {
  return resultOf(asked, await send(url, asked, randomUUID()));
}

/** The same, as clients do it: while the answer is 503, it is sent again with the same key. @throws what is wrong with it */
export async function askPatiently(url: string, ...asked: AskedOfEngine): Promise<unknown> {
  const key = randomUUID();
  let reply = await send(url, asked, key);
  for (let tries = 1; reply.status === 503 && tries < ASK_LIMITS.triesMax; tries++) {
    await pause(ASK_LIMITS.againMs);
    reply = await send(url, asked, key);
  }
  return resultOf(asked, reply);
}

interface Reply { readonly status: number; readonly text: string }

async function send(url: string, [method, path, body]: AskedOfEngine, key: string): Promise<Reply> {
  const headers = { ...method === 'POST' ? { 'idempotency-key': key } : {}, ...body === undefined ? {} : { 'content-type': 'application/json' } };
  const reply = await fetch(`${url}${path}`, { method, headers, ...body === undefined ? {} : { body: JSON.stringify(body) } });
  return { status: reply.status, text: await reply.text() };
}

function resultOf([method, path]: AskedOfEngine, { status, text }: Reply): unknown {
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text.slice(0, 500)}`);
  return text === '' ? undefined : JSON.parse(text);
}
