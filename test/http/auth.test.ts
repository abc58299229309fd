import t from 'tap';
import { PATIENT, startEngine } from '../helpers/engine.js';
import { post } from '../helpers/traffic.js';

const engine = await startEngine({ role: 'api', env: { ...PATIENT, API_KEYS: 'reader-key:recommend, writer-key:events+catalog, master-key:admin', REQUESTS_PER_MINUTE_MAX: '40', CORS_ORIGINS: 'https://shop.example' } });
t.teardown(() => engine.stop());

const ask = (path: string, init: RequestInit = {}): Promise<Response> => fetch(engine.url + path, init);
const events = { method: 'POST', body: JSON.stringify({ events: [{ id: 'k1', type: 'like', userId: 'ann', itemId: 'i' }] }) };
const json = (key?: string, header = 'authorization'): Record<string, string> => ({
  'content-type': 'application/json', ...(key === undefined ? {} : { [header]: header === 'authorization' ? `Bearer ${key}` : key }),
});

await t.test('a key opens what its scopes say, and nothing else', async (t) => {
  const cases: [string, Response, number][] = [
    ['no key', await ask('/v1/events', { ...events, headers: json() }), 401],
    ['unknown key', await ask('/v1/events', { ...events, headers: json('writer-kez') }), 401],
    ['without the scope', await ask('/v1/events', { ...events, headers: json('reader-key') }), 403],
    ['with it', await ask('/v1/events', { ...events, headers: json('writer-key') }), 200],
    ['in the other header', await ask('/v1/events', { ...events, headers: json('writer-key', 'x-api-key') }), 200],
    ['admin may all', await ask('/v1/users/ann/profile', { headers: json('master-key') }), 200],
    ['users are not for writers', await ask('/v1/users/ann/profile', { headers: json('writer-key') }), 403],
    ['metrics are for admins', await ask('/metrics', { headers: json('writer-key') }), 403],
    ['health is open', await ask('/health/ready'), 200],
  ];
  for (const [name, reply, status] of cases) t.equal(reply.status, status, name);
  t.match(await cases[0]![1].json(), { code: 'unauthorized', message: /API key/u, statusCode: 401 });
});

await t.test('storefronts of the allowlist may call from the browser', async (t) => {
  const allowed = await ask('/health/live', { headers: { origin: 'https://shop.example' } });
  t.equal(allowed.headers.get('access-control-allow-origin'), 'https://shop.example');
  const foreign = await ask('/health/live', { headers: { origin: 'https://evil.example' } });
  t.equal(foreign.headers.get('access-control-allow-origin'), null);
});

await t.test('a key that asks too often is told to wait', async (t) => {
  const statuses = await Promise.all(Array.from({ length: 60 }, async () => (await ask('/v1/recommendations', { method: 'POST', headers: json('reader-key'), body: '{"scene":"home"}' })).status));
  t.ok(statuses.includes(429), 'limited');
  t.ok(statuses.includes(200), 'but not before');
  const reply = await ask('/v1/recommendations', { method: 'POST', headers: json('reader-key'), body: '{"scene":"home"}' });
  t.match(await reply.json(), { code: 'rate_limited', statusCode: 429 });
  t.equal((await ask('/v1/events', { ...events, headers: json('writer-key') })).status, 200, 'others are not held back');
});

await t.test('settings that do not fit stop the start with a message that names them', async (t) => {
  const refusals: [Record<string, string>, RegExp][] = [
    [{ HOST: '0.0.0.0' }, /HOST.*API_KEYS/u], [{ PORT: 'eighty' }, /PORT/u], [{ API_KEYS: 'short:events' }, /API_KEYS/u], [{ ROLE: 'boss' }, /ROLE/u],
  ];
  for (const [env, message] of refusals) await t.rejects(startEngine({ role: (env['ROLE'] ?? 'api') as 'api', redis: engine.redis, env }), { message });
  t.equal((await post(`${engine.url}/v1/events`, {})).status, 401, 'the running one is not concerned');
});
