import { request, Agent } from 'node:http';
import t from 'tap';
import { startEngine } from '../helpers/engine.js';
import { until } from '../helpers/streams.js';
import { putItems } from '../helpers/traffic.js';

/** SIGTERM under load: whoever got a connection gets an answer. */

interface Ended { readonly ok: number; readonly failed: readonly string[] }

/** A client with keep-alive that asks until the listener refuses it. */
async function client(url: string, agent: Agent, n: number, onAnswer: () => void): Promise<Ended> {
  let ok = 0;
  const failed: string[] = [];
  for (let i = 0; i < 20_000; i++) {
    const path = i % 3 === 0 ? '/v1/events' : '/v1/recommendations';
    const body = JSON.stringify(i % 3 === 0 ? { events: [{ id: `c${n}-${i}`, type: 'view_item', userId: `u${n}`, itemId: 'sku-1' }] } : { userId: `u${n}`, scene: 'home' });
    const outcome = await ask(url + path, agent, body);
    if (outcome === 'refused') break;
    onAnswer();
    if (outcome === 'ok') ok += 1;
    else failed.push(outcome);
  }
  return { ok, failed };
}

function ask(url: string, agent: Agent, body: string): Promise<string> {
  return new Promise((resolve) => {
    const sent = request(url, { method: 'POST', agent, headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } }, (response) => {
      response.resume();
      response.once('end', () => { resolve(response.statusCode === 200 ? 'ok' : `status ${response.statusCode}`); });
    });
    sent.once('error', (error: NodeJS.ErrnoException) => { resolve(error.code === 'ECONNREFUSED' ? 'refused' : `${error.code} ${error.message}`); });
    sent.end(body);
  });
}

for (const role of ['api', 'both'] as const) {
  await t.test(`SIGTERM under load, role ${role}`, { timeout: 150_000 }, async (t) => {
    const engine = await startEngine({ role, env: { REDIS_TIMEOUT_MS: '10000' } });
    t.teardown(() => engine.stop());
    await putItems(engine.url, 40);
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    let answers = 0;
    const clients = Array.from({ length: 24 }, (_, n) => client(engine.url, agent, n, () => { answers += 1; }));
    await until('it is under load', () => answers > 500);
    const code = await engine.kill('SIGTERM');
    const ended = await Promise.all(clients);
    agent.destroy();
    t.equal(code, 0);
    t.same(ended.flatMap((one) => one.failed), [], 'no request failed');
    t.ok(ended.reduce((sum, one) => sum + one.ok, 0) > 100);
  });
}

await t.test('a worker whose Redis is gone ends, too', { timeout: 100_000 }, async (t) => {
  const worker = await startEngine({ role: 'worker', env: { DRAIN_MS: '500', LOG_LEVEL: 'info' } });
  t.teardown(() => worker.stop());
  await until('it is at work', () => worker.output().includes('worker runs'));
  await worker.redis.kill('SIGKILL');
  const code = await worker.kill('SIGTERM');
  t.equal(typeof code, 'number', worker.output().slice(-500));
});
