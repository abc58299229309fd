import { join } from 'node:path';
import t from 'tap';
import { readConfig } from '../../src/config.js';
import { startWorker } from '../../src/worker.js';
import { PATIENT, startEngine } from '../helpers/engine.js';
import { silent, until } from '../helpers/streams.js';

const engine = await startEngine({ role: 'api', env: PATIENT });
t.teardown(() => engine.stop());
const worker = await startWorker(readConfig({ REDIS_URL: engine.redis.url, DATA_DIR: join(engine.redis.dir, 'data'), ROLE: 'worker' }), silent);
t.teardown(() => worker.close());

interface Reply { status: number; body: Record<string, unknown> }

async function call(method: string, path: string, body?: unknown): Promise<Reply> {
  const response = await fetch(engine.url + path, {
    method, ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) as Record<string, unknown> };
}
const send = (...events: Record<string, unknown>[]): Promise<Reply> => call('POST', '/v1/events', { events });
const portraitOf = async (id: string): Promise<Record<string, unknown>> => (await call('GET', `/v1/users/${id}/portrait`)).body;
const memberOf = async (id: string): Promise<string[]> => (((await portraitOf(id))['segments'] ?? []) as { id: string }[]).map((segment) => segment.id).toSorted();
const isIn = (id: string, segment: string) => async (): Promise<boolean> => (await memberOf(id)).includes(segment);

t.setTimeout(120_000);

await t.test('a segment is saved, filled from who is there and by every event, listed and removed', async (t) => {
  await call('POST', '/v1/items', { items: [{ id: 'boot', title: 'Boot', category: ['shoes', 'boots'], brand: 'acme', price: 100 }] });
  await send({ id: 'a1', type: 'view_item', userId: 'ann', itemId: 'boot' }, { id: 'a2', type: 'purchase', userId: 'ann', itemId: 'boot', value: 100 });
  await until('ann is new', isIn('ann', 'new'));
  const saved = await call('PUT', '/v1/segments/boots', { title: 'Boots', expression: 'categories["shoes/boots"] > 5.0 && orders > 0' });
  t.match(saved, { status: 200, body: { id: 'boots', kind: 'segment', version: 1 } });
  await until('ann is found', isIn('ann', 'boots'));
  await send({ id: 'v1', type: 'purchase', anonymousId: 'visitor', itemId: 'boot', value: 100 });
  await until('the visitor enters', async () => (await call('GET', '/v1/segments/boots')).body['size'] === 2);
  const first = await call('GET', '/v1/segments/boots/members?limit=1');
  t.match(await call('GET', '/v1/segments/boots/members?cursor=zzz'), { status: 400, body: { code: 'invalid_request', message: /cursor/u } });
  const second = await call('GET', `/v1/segments/boots/members?limit=1&cursor=${String(first.body['cursor'])}`);
  t.same(new Set([first, second].map(({ body }) => JSON.stringify(body['members']))), new Set(['[{"userId":"ann"}]', '[{"anonymousId":"visitor"}]']));
  t.match((await call('GET', '/v1/segments')).body['segments'], [{ id: 'active', version: 0, size: 0 }, { id: 'boots', size: 2 }]);
  t.match(await call('POST', '/v1/segments/estimate', { expression: 'orders > 0' }), { status: 200, body: { size: 2, sampled: 2, shoppers: 2 } });
  t.equal((await call('DELETE', '/v1/segments/boots')).status, 204);
  t.match(await call('GET', '/v1/segments/boots'), { status: 404, body: { code: 'not_found' } });
  await until('it has left the portrait', async () => !(await isIn('ann', 'boots')()));
});

await t.test('a bad expression is refused with the position of its fault, and nothing is saved', async (t) => {
  const reply = await call('PUT', '/v1/segments/bad', { title: 'Bad', expression: 'orders > 2 &&\n  lifecycel == "new"' });
  t.match(reply, { status: 400, body: { code: 'invalid_expression', message: /lifecycel.*line 2, column 3/u, position: { offset: 16, line: 2, column: 3 } } });
  t.equal((await call('GET', '/v1/segments/bad')).status, 404);
  t.match(await call('PUT', '/v1/segments/bad', { title: 'Bad' }), { status: 400, body: { code: 'invalid_request' } });
  t.equal((await call('DELETE', '/v1/segments/dormant')).status, 409);
});

await t.test('what the store says of a shopper is in the portrait, and in segments, until they are erased', async (t) => {
  t.equal((await call('PUT', '/v1/segments/northern', { title: 'North', expression: 'attributes.region == "north" && consent["marketing"]' })).status, 200);
  t.equal((await call('PUT', '/v1/users/ann/attributes', { region: 'north', consent: { marketing: true }, birthday: '1990-02-03', timezone: 'europe/berlin', custom: { vip: true } })).status, 204);
  t.match((await call('GET', '/v1/users/ann/attributes')).body, { region: 'north', timezone: 'Europe/Berlin' });
  await until('ann is northern', isIn('ann', 'northern'));
  t.match(await portraitOf('ann'), { attributes: { region: 'north', vip: true, birthday: '02-03' }, consent: { marketing: true }, evidence: { lifecycle: /^1 order/u } });
  t.match(await call('PUT', '/v1/users/ann/attributes', { timezone: 'Mars/Olympus' }), { status: 400, body: { message: /Mars\/Olympus/u } });
  t.equal((await call('PUT', '/v1/users/ann/attributes', { birthday: '13-40' })).status, 400);
  t.match(await call('PUT', '/v1/users/ann/attributes', { birthday: '02-30' }), { status: 400, body: { message: /^birthday is 02-30/u } });
  t.equal((await call('PUT', '/v1/users/ann/attributes', { shoeSize: 40 })).status, 400);
  t.equal((await call('DELETE', '/v1/users/ann')).status, 204);
  t.same((await call('GET', '/v1/users/ann/attributes')).body, {});
  await until('nobody is northern', async () => (await call('GET', '/v1/segments/northern')).body['size'] === 0);
});
