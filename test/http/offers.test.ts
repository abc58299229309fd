import t from 'tap';
import { PATIENT, startEngine } from '../helpers/engine.js';
import { until } from '../helpers/streams.js';

const engine = await startEngine({
  role: 'api', env: { ...PATIENT, API_KEYS: 'operator-key:offers, shopper-key:recommend, people-key:users+events', REDIS_TIMEOUT_MS: '2000' },
});
t.teardown(() => engine.stop());

interface Reply { readonly status: number; readonly body: Record<string, unknown> & { code?: string; cursor?: string; claim?: Record<string, unknown>; offer?: Record<string, unknown> } }
type As = 'operator-key' | 'shopper-key' | 'people-key' | 'nobody';

async function call(as: As, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
  const response = await fetch(engine.url + path, {
    method, headers: { 'x-api-key': as, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) as Reply['body'] };
}
const operate = (method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply> => call('operator-key', method, path, body, headers);
const claim = (id: string, key: string, body: unknown): Promise<Reply> => call('shopper-key', 'POST', `/v1/offers/${id}/claims`, body, { 'idempotency-key': key });
const draft = (id: string, fields: Record<string, unknown> = {}): Record<string, unknown> => ({
  id, title: `Offer ${id}`, terms: { kind: 'threshold', spendMinor: 20_000, saveMinor: 3000 },
  window: { startsAt: Date.now() - 1000, endsAt: Date.now() + 3_600_000 }, budget: { moneyMinor: 6000, count: 5 }, marginMinor: 4000, ...fields,
});
const codeOf = ({ status, body }: Reply): string => `${status} ${body.code ?? ''}`;

await t.test('an offer is drafted, activated, claimed, redeemed and refunded; the key replays the claim', async (t) => {
  t.equal((await operate('POST', '/v1/offers', draft('spring'))).status, 201);
  t.equal(codeOf(await claim('spring', 'k0', { userId: 'ann' })), '409 offer_not_active', 'a draft is nobody\'s');
  t.match((await operate('POST', '/v1/offers/spring/activate')).body, { offer: { status: 'active', version: 2 } });
  const first = await claim('spring', 'k1', { userId: 'ann', deviceId: 'phone' });
  t.match(first, { status: 201, body: { claim: { offerId: 'spring', status: 'claimed', reservedMinor: 3000, code: /^spring-/u } } });
  t.same(await claim('spring', 'k1', { userId: 'ann', deviceId: 'phone' }), { status: 200, body: first.body });
  t.equal(codeOf(await claim('spring', 'k1', { userId: 'bob' })), '409 key_reused');
  t.equal(codeOf(await claim('spring', 'k2', { userId: 'ann' })), '409 cap_reached');
  t.equal((await claim('spring', 'k3', { anonymousId: 'visitor' })).status, 201);
  t.equal(codeOf(await claim('spring', 'k4', { userId: 'cyd' })), '409 offer_exhausted');
  const id = String(first.body.claim?.['id']);
  t.match(await operate('POST', `/v1/claims/${id}/redeem`, { spentMinor: 2500 }), { status: 200, body: { claim: { status: 'redeemed', spentMinor: 2500 } } });
  t.equal(codeOf(await operate('POST', `/v1/claims/${id}/release`)), '409 claim_settled');
  t.match(await operate('POST', `/v1/claims/${id}/refund`), { status: 200, body: { claim: { status: 'refunded' } } });
  t.match(await operate('GET', `/v1/claims/${id}`), { status: 200, body: { claim: { id, status: 'refunded' } } });
  t.equal((await claim('spring', 'k5', { userId: 'cyd' })).status, 201, 'the budget came back');
  await until('the wallet has it', async () => ((await call('people-key', 'GET', '/v1/users/ann/wallet')).body['claims'] as unknown[]).length === 1);
  t.match((await call('people-key', 'GET', '/v1/users/ann/wallet')).body, { claims: [{ id, status: 'refunded' }] });
  t.equal(((await call('people-key', 'GET', '/v1/users/visitor/wallet?kind=anonymous')).body['claims'] as unknown[]).length, 1);
});

await t.test('a key opens what its scope says', async (t) => {
  t.equal(codeOf(await call('shopper-key', 'POST', '/v1/offers', draft('x'))), '403 forbidden');
  t.equal(codeOf(await call('shopper-key', 'GET', '/v1/offers/spring')), '403 forbidden');
  t.equal(codeOf(await call('nobody', 'POST', '/v1/offers/spring/claims', { userId: 'ann' })), '401 unauthorized');
  t.equal(codeOf(await operate('POST', '/v1/offers/spring/claims', { userId: 'ann' }, { 'idempotency-key': 'k9' })), '403 forbidden');
  t.equal(codeOf(await call('shopper-key', 'POST', `/v1/claims/spring.${'0'.repeat(32)}/redeem`, { spentMinor: 1 })), '403 forbidden');
  t.equal(codeOf(await call('shopper-key', 'GET', '/v1/users/ann/wallet')), '403 forbidden');
});

await t.test('what does not fit is refused by name', async (t) => {
  const cases: [string, Promise<Reply>, string][] = [
    ['no key', call('shopper-key', 'POST', '/v1/offers/spring/claims', { userId: 'ann' }), '400 invalid_request'],
    ['nobody', claim('spring', 'k9', {}), '400 invalid_request'],
    ['control characters', claim('spring', 'k9', { userId: 'a\nb' }), '400 invalid_request'],
    ['an id of half a character', claim('spring', 'k9', { userId: '\ud800' }), '400 invalid_request'],
    ['an id longer than that of an event', claim('spring', 'k9', { userId: 'é'.repeat(200) }), '400 invalid_request'],
    ['the same of an address', call('people-key', 'GET', `/v1/users/${encodeURIComponent('é'.repeat(200))}/wallet`), '400 invalid_request'],
    ['a group of no group buy', claim('spring', 'k9', { userId: 'ann', groupId: `spring.${'0'.repeat(32)}` }), '400 invalid_request'],
    ['no such offer', claim('none', 'k9', { userId: 'ann' }), '404 not_found'],
    ['no such claim', operate('POST', `/v1/claims/spring.${'0'.repeat(32)}/release`), '404 not_found'],
    ['a float', operate('POST', '/v1/offers', draft('x', { marginMinor: 1.5 })), '400 invalid_request'],
    ['a window that ends first', operate('POST', '/v1/offers', draft('x', { window: { startsAt: 2, endsAt: 1 } })), '400 invalid_request'],
    ['a budget of less than one claim', operate('POST', '/v1/offers', draft('x', { budget: { moneyMinor: 2999, count: 5 } })), '400 invalid_request'],
    ['a scope of nothing', operate('POST', '/v1/offers', draft('x', { appliesTo: {} })), '400 invalid_request'],
    ['an expression that is none', operate('POST', '/v1/offers', draft('x', { eligibility: { expression: 'orders >' } })), '400 invalid_expression'],
  ];
  for (const [what, reply, expected] of cases) t.equal(codeOf(await reply), expected, what);
});

await t.test('every change is in the audit, in order, with who and what; versions guard against each other', async (t) => {
  const by = { 'x-operator': 'ann' };
  await operate('POST', '/v1/offers', draft('audited'), by);
  t.match(await operate('POST', '/v1/offers', draft('audited', { title: 'Other' })), { status: 409, body: { code: 'conflict' } });
  await operate('POST', '/v1/offers/audited/activate');
  const wider = draft('audited', { budget: { moneyMinor: 9000, count: 5 } });
  t.equal(codeOf(await operate('PUT', '/v1/offers/audited', wider, { 'if-match': '"1"' })), '409 conflict');
  t.match(await operate('PUT', '/v1/offers/audited', wider, { 'if-match': '"2"' }), { status: 200, body: { offer: { version: 3, status: 'active' } } });
  t.equal(codeOf(await operate('PUT', '/v1/offers/audited', { ...wider, terms: { kind: 'fixed', saveMinor: 1 } })), '409 conflict', 'its kind stays');
  t.equal(codeOf(await operate('PUT', '/v1/offers/audited', { ...wider, terms: { kind: 'threshold', spendMinor: 20_000, saveMinor: 2000 } })), '409 conflict', 'and what was promised');
  await operate('POST', '/v1/offers/audited/pause');
  await operate('POST', '/v1/offers/audited/archive');
  t.equal(codeOf(await operate('POST', '/v1/offers/audited/activate')), '409 conflict', 'archived is for ever');
  const { entries } = (await operate('GET', '/v1/offers/audited/audit')).body as unknown as { entries: { action: string; version: number; by: string; changes: Record<string, unknown> }[] };
  t.same(entries.map(({ action, version }) => `${version} ${action}`), ['5 archive', '4 pause', '3 change', '2 activate', '1 create']);
  t.match(entries[4]?.by, /^ann \(key [0-9a-f]{12}\)$/u);
  t.match(entries[2]?.changes['budget'], { before: { moneyMinor: 6000 }, after: { moneyMinor: 9000 } });
});

await t.test('of an offer that is out, stock and cost may change, not what it comes to on a cart', async (t) => {
  const sale = (terms: Record<string, unknown>): Record<string, unknown> =>
    draft('sale', { terms: { kind: 'flash_sale', itemId: 'boots', priceMinor: 500, stock: 2, costMinor: 100, ...terms } });
  await operate('POST', '/v1/offers', sale({ priceMinor: 400 }));
  t.equal((await operate('PUT', '/v1/offers/sale', sale({}))).status, 200, 'of a draft everything');
  await operate('POST', '/v1/offers/sale/activate');
  t.equal((await operate('PUT', '/v1/offers/sale', sale({ stock: 4, costMinor: 120 }))).status, 200);
  t.match(await operate('PUT', '/v1/offers/sale', sale({ priceMinor: 600 })), { status: 409, body: { message: /promised/u } });
  for (const field of [{ currency: 'EUR' }, { appliesTo: { itemIds: ['socks'] } }, { stacking: { group: 'other' } }]) {
    t.match(await operate('PUT', '/v1/offers/sale', { ...sale({}), ...field }), { status: 409, body: { message: new RegExp(`${Object.keys(field)[0]!} must stay`, 'u') } });
  }
});

await t.test('what has ended is not activated before it has a later window', async (t) => {
  await operate('POST', '/v1/offers', draft('ended', { window: { startsAt: 1, endsAt: 2 } }));
  t.match(await operate('POST', '/v1/offers/ended/activate'), { status: 409, body: { code: 'outside_window', message: /ended at 1970-01-01T00:00:00.002Z/u } });
  await operate('PUT', '/v1/offers/ended', draft('ended'));
  t.equal((await operate('POST', '/v1/offers/ended/activate')).status, 200);
});

await t.test('offers are listed a page at a time', async (t) => {
  for (const id of ['p1', 'p2', 'p3']) await operate('POST', '/v1/offers', draft(id));
  const seen: string[] = [];
  let cursor = '';
  do {
    const { body } = await operate('GET', `/v1/offers?limit=2&status=draft${cursor === '' ? '' : `&cursor=${cursor}`}`);
    seen.push(...(body['offers'] as { id: string }[]).map(({ id }) => id));
    cursor = body.cursor ?? '';
  } while (cursor !== '');
  t.same(seen, ['p1', 'p2', 'p3']);
  for (const limit of ['0', 'all', '-1', '1.5', '']) t.match((await operate('GET', `/v1/offers?limit=${limit}`)), { status: 400, body: { message: `limit is "${limit}", not a whole number from 1 to 200.` } });
  t.equal((await operate('GET', '/v1/offers?limit=5000')).status, 200);
});

await t.test('who is held out may not claim, and the same ones for ever', async (t) => {
  await operate('POST', '/v1/offers', draft('half', { holdout: 0.5, budget: { moneyMinor: 3000 * 40, count: 40 } }));
  await operate('POST', '/v1/offers/half/activate');
  await until('the book has it', async () => (await claim('half', 'first', { userId: 'somebody' })).status !== 409 || codeOf(await claim('half', 'first', { userId: 'somebody' })) === '409 not_eligible');
  const replies = await Promise.all(Array.from({ length: 40 }, (_, i) => claim('half', `h${i}`, { userId: `user-${i}` })));
  const held = replies.filter((reply) => codeOf(reply) === '409 not_eligible').length;
  t.ok(held > 5 && held < 35, `${held} of 40`);
  t.equal(held + replies.filter(({ status }) => status === 201).length, 40);
});

await t.test('a visitor who was merged into a user claims as the user, and gets what they claimed before', async (t) => {
  await operate('POST', '/v1/offers', draft('merged', { budget: { moneyMinor: 9000, count: 3 } }));
  await operate('POST', '/v1/offers/merged/activate');
  await call('people-key', 'POST', '/v1/events', { events: ['v-1', 'v-2'].map((anonymousId) => ({ id: anonymousId, type: 'view_item', anonymousId, itemId: 'boots' })) });
  const early = await claim('merged', 'early', { anonymousId: 'v-1' });
  t.equal(early.status, 201);
  for (const anonymousId of ['v-1', 'v-2']) t.match((await call('people-key', 'POST', '/v1/users/una/alias', { anonymousId })).body, { merged: true });
  t.same(await claim('merged', 'early', { anonymousId: 'v-1' }), { status: 200, body: early.body });
  t.same(await claim('merged', 'early', { userId: 'una' }), { status: 200, body: early.body }, 'it is theirs');
  for (const who of [{ userId: 'una' }, { anonymousId: 'v-1' }, { anonymousId: 'v-2' }]) t.equal(codeOf(await claim('merged', 'more', who)), '409 cap_reached');
  for (const path of ['una/wallet', 'v-1/wallet?kind=anonymous']) t.match((await call('people-key', 'GET', `/v1/users/${path}`)).body, { claims: [{ id: early.body.claim?.['id'] }] });
});

await t.test('a visitor who never sent an event is merged with what they claimed, and claims as the user', async (t) => {
  await operate('POST', '/v1/offers', draft('silent'));
  await operate('POST', '/v1/offers/silent/activate');
  const early = await claim('silent', 'early', { anonymousId: 'mute' });
  for (const merged of [true, false]) t.same((await call('people-key', 'POST', '/v1/users/vic/alias', { anonymousId: 'mute' })).body, { merged });
  for (const who of [{ userId: 'vic' }, { anonymousId: 'mute' }]) t.equal(codeOf(await claim('silent', 'more', who)), '409 cap_reached');
  t.match((await call('people-key', 'GET', '/v1/users/vic/wallet')).body, { claims: [{ id: early.body.claim?.['id'] }] });
});

await t.test('a store that does not answer leaves a claim pending, and its key tells later', async (t) => {
  await operate('POST', '/v1/offers', draft('slow'));
  await operate('POST', '/v1/offers/slow/activate');
  await until('the book has it', async () => (await claim('slow', 'warm', { userId: 'first' })).status < 300);
  await engine.redis.kill('SIGSTOP');
  const [pending, read] = await Promise.all([claim('slow', 'k1', { userId: 'ann' }), operate('GET', '/v1/offers/slow')]);
  await engine.redis.kill('SIGCONT');
  t.equal(codeOf(read), '503 store_unavailable', 'a question leaves nothing unknown');
  t.match(pending, { status: 202, body: { status: 'pending' } });
  await until('the claim is told', async () => (await claim('slow', 'k1', { userId: 'ann' })).status < 202);
  const told = await claim('slow', 'k1', { userId: 'ann' });
  t.equal(told.status, 200);
  t.equal(codeOf(await claim('slow', 'k2', { userId: 'ann' })), '409 cap_reached', 'it was claimed once');
});
