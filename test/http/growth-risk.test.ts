import { join } from 'node:path';
import t from 'tap';
import { PATIENT, startEngine } from '../helpers/engine.js';
import { startRedis } from '../helpers/redis.js';
import { until } from '../helpers/streams.js';

const redis = await startRedis();
t.teardown(() => redis.stop());
const env = { ...PATIENT, DATA_DIR: join(redis.dir, 'data'), EVENTS_PER_MINUTE: 'user=8,ip=40', CLAIMS_PER_MINUTE: 'device=2', STATISTICS_EVERY_S: '86400', TRAIN_EVERY_S: '0' };
const [engine, worker] = await Promise.all([startEngine({ redis, env }), startEngine({ redis, env, role: 'worker' })]);
t.teardown(() => Promise.all([engine.stop(), worker.stop()]));

async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const reply = await fetch(`${engine.url}${path}`, { method, headers: { ...headers, ...body === undefined ? {} : { 'content-type': 'application/json' } }, ...body === undefined ? {} : { body: JSON.stringify(body) } });
  return { status: reply.status, retryAfter: reply.headers.get('retry-after'), body: await reply.json() as Record<string, unknown> };
}
const get = async (path: string) => (await send('GET', path)).body;
let ids = 0;
const event = (type: string, userId: string, more: object = {}) => ({ id: `e${ids++}`, type, userId, ...more });

await t.test('what shoppers do earns, what they give back is taken back', async (t) => {
  await send('POST', '/v1/events', { events: [event('purchase', 'ann', { itemId: 'i1', value: 50 }), event('review', 'ann', { itemId: 'i1' })] });
  await until('the points are there', async () => (await get('/v1/users/ann/growth'))['points'] === 5 + 50 + 20);
  await until('the portrait knows them', async () => JSON.stringify(await get('/v1/users/ann/portrait')).includes('75'));
  t.match(await send('POST', '/v1/users/ann/check-ins'), { status: 200, body: { counted: false } });
  t.match(await send('POST', '/v1/users/ben/check-ins'), { status: 200, body: { counted: true } });
  await send('POST', '/v1/events', { events: [event('refund', 'ann', { itemId: 'i1', value: 25 })] });
  await until('half of it is taken back', async () => (await get('/v1/users/ann/growth'))['points'] === 5 + 25 + 20);
  t.match(await get('/v1/users/ann/growth?limit=1'), { ledger: [{ by: 'rule:purchase', on: 'refund', points: -25, balance: 50 }], cursor: /-/u });
  const { rules, version } = await get('/v1/growth/rules');
  t.equal(version, 0);
  t.match(await send('PUT', '/v1/growth/rules', rules), { status: 200, body: { version: 1 } });
  t.match(await send('PUT', '/v1/growth/rules', { ...rules as object, levels: [{ points: -1, title: 'x' }] }), { status: 400, body: { code: 'invalid_request' } });
});

await t.test('who is flagged claims nothing and is decided nothing; it can be read why', async (t) => {
  const now = Date.now();
  await send('POST', '/v1/offers', { id: 'spring', title: 'Off', terms: { kind: 'fixed', saveMinor: 100 }, window: { startsAt: now - 1000, endsAt: now + 3_600_000 }, budget: { moneyMinor: 1_000_000, count: 1000 }, marginMinor: 5000, caps: { perUser: 50 } });
  await send('POST', '/v1/offers/spring/activate');
  t.match(await send('PUT', '/v1/users/eve/risk', { flag: 'flagged', reason: 'chargebacks' }, { 'x-operator': 'olga' }), { status: 200, body: { flagged: true } });
  await until('claims are refused', async () => (await send('POST', '/v1/offers/spring/claims', { userId: 'eve' }, { 'idempotency-key': `k${ids++}` })).body['code'] === 'not_eligible');
  t.match((await send('POST', '/v1/decisions', { userId: 'eve', scene: 'home', explain: true })).body, { offer: null, reason: 'risk', explain: { gates: { risk: false } } });
  t.match(await get('/v1/risk/flagged'), { shoppers: [{ userId: 'eve', flagged: true, operator: { reason: 'chargebacks', by: /olga/u } }] });
  t.match(await get('/v1/users/eve/risk'), { flagged: true, audit: [{ flag: 'flagged', by: /olga/u, wasFlagged: false }] });
  t.match(await send('POST', '/v1/users/eve/check-ins'), { status: 409, body: { code: 'not_eligible' } });
});

await t.test('a share that is held is taken back from who is flagged', async (t) => {
  const now = Date.now();
  await send('POST', '/v1/offers', {
    id: 'bring', title: 'Bring a friend', terms: { kind: 'share_reward', sharerMinor: 500, friendMinor: 500, refundableS: 86_400 },
    window: { startsAt: now - 1000, endsAt: now + 3_600_000 }, budget: { moneyMinor: 1_000_000, count: 1000 }, marginMinor: 5000,
  });
  await send('POST', '/v1/offers/bring/activate');
  t.match(await send('POST', '/v1/offers/bring/claims', { userId: 'sam', deviceId: 'sams' }, { 'idempotency-key': 'sam' }), { status: 201, body: { claim: { status: 'held' } } });
  const statuses = async (): Promise<unknown[]> => ((await get('/v1/users/sam/wallet'))['claims'] as { status: string }[]).map(({ status }) => status);
  await until('it is in the wallet', async () => (await statuses()).length === 1);
  await send('PUT', '/v1/users/sam/risk', { flag: 'flagged', reason: 'one household' });
  await until('it is released', async () => (await statuses())[0] === 'released');
});

await t.test('too many requests are refused, with when to come again', async (t) => {
  const claim = () => send('POST', '/v1/offers/spring/claims', { userId: 'kim', deviceId: 'phone' }, { 'idempotency-key': `k${ids++}` });
  t.same([(await claim()).status, (await claim()).status], [201, 201]);
  const refused = await claim();
  t.match(refused, { status: 429, body: { code: 'rate_limited' } });
  t.ok(Number(refused.retryAfter) > 0);
  const many = (userId: string, count: number) => ({ events: Array.from({ length: count }, () => event('view_item', userId, { itemId: 'i1' })) });
  t.match((await send('POST', '/v1/events', many('max', 10))).body, { accepted: 8, rejected: [{ index: 8, code: 'rate_limited' }, { index: 9 }] });
  t.match(await send('POST', '/v1/events', many('max', 1)), { status: 429, body: { code: 'rate_limited' } });
  t.match(await send('POST', '/v1/events', { events: Array.from({ length: 39 }, (_, i) => event('view_item', `u${i}`)) }), { status: 429 }, 'of one address');
});
