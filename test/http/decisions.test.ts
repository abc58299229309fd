import t from 'tap';
import { PATIENT, startEngine } from '../helpers/engine.js';
import { until } from '../helpers/until.js';

// Without a response model: what the prior says of these offers is known.
const engine = await startEngine({ env: { ...PATIENT, REDIS_TIMEOUT_MS: '2000', RESPONSE_MODEL_DIR: 'no-such-folder' } });
t.teardown(() => engine.stop());

type Body = Record<string, unknown> & { offer?: { id: string } | null; decision?: Record<string, unknown>; reason?: string; degraded?: string[] };

async function send(method: string, path: string, body?: unknown): Promise<{ status: number; body: Body }> {
  const reply = await fetch(`${engine.url}${path}`, { method, ...body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } });
  const text = await reply.text();
  return { status: reply.status, body: text === '' ? {} : JSON.parse(text) as Body };
}

const now = Date.now();
const offer = {
  id: 'spring', title: 'A quarter off', terms: { kind: 'percentage', basisPoints: 2500, capMinor: 5000 }, window: { startsAt: now - 3_600_000, endsAt: now + 3_600_000 },
  budget: { moneyMinor: 1_000_000, count: 1000 }, marginMinor: 50_000, scenes: ['home'],
};
const cart = { lines: [{ itemId: 'sku-1', unitMinor: 10_000, quantity: 1 }] };

await t.test('an offer is decided once it is active, with its propensity; explain tells why', async (t) => {
  t.equal((await send('POST', '/v1/items', { items: [{ id: 'sku-1', title: 'Boots', category: ['shoes'], price: 100 }] })).status, 200);
  t.match(await send('POST', '/v1/decisions', { userId: 'ann', scene: 'home' }), { status: 200, body: { offer: null, reason: 'no_offer' } });
  t.match(await send('POST', '/v1/offers', offer), { status: 201 });
  t.match(await send('POST', '/v1/offers/spring/activate'), { status: 200 });
  await until(async () => (await send('POST', '/v1/decisions', { userId: 'ann', scene: 'home', cart })).body.reason !== 'no_offer', 'the offer is live', 20_000);
  const { body } = await send('POST', '/v1/decisions', { userId: 'ann', scene: 'home', cart, explain: true });
  t.match(body, { model: 'prior', degraded: ['prior_scores'], propensity: Number, decisionId: String });
  t.match(body['explain'], { gates: { consent: true }, offers: [{ id: 'spring', rules: { expression: true }, weighed: { expectedCostMinor: 2500 } }] });
  t.match((await send('POST', '/v1/decisions', { userId: 'ann', scene: 'cart', cart })).body, { offer: null, reason: 'no_offer' }, 'not for this scene');
  let given: Body = {};
  await until(async () => {
    given = (await send('POST', '/v1/decisions', { userId: 'ann', scene: 'home', cart })).body;
    return given.offer !== null;
  }, 'a draw in favour', 20_000);
  t.same(given.offer, { id: 'spring', title: 'A quarter off', terms: offer.terms, endsAt: offer.window.endsAt }, 'what a shopper may see');
});

await t.test('a list carries the decision where it is asked for; without, nothing changes', async (t) => {
  const { body } = await send('POST', '/v1/recommendations', { userId: 'ann', scene: 'home', offers: true });
  t.ok('offer' in body);
  t.match(body.decision, { decisionId: String, model: 'prior', propensity: Number });
  t.notOk('offer' in (await send('POST', '/v1/recommendations', { userId: 'ann', scene: 'home' })).body);
  const batch = await send('POST', '/v1/recommendations/batch', { userId: 'ann', offers: true, lists: [{ scene: 'home' }, { scene: 'cart' }] });
  t.match(batch.body.decision, { model: 'prior' });
  const page = await send('POST', '/v1/recommendations', { userId: 'ben', scene: 'home', offers: true, events: [{ id: 'e1', type: 'view_item', itemId: 'sku-1' }] });
  t.match(page.body, { events: { accepted: 1 }, decision: { model: 'prior' } });
});

await t.test('an offer that a shopper has had is none for them; one that they gave back is', async (t) => {
  const claimed = async (): Promise<unknown> => {
    const { body } = await send('POST', '/v1/decisions', { userId: 'cleo', scene: 'home', cart, explain: true });
    return (body['explain'] as { offers: { id: string; rules: Record<string, boolean> }[] }).offers.find(({ id }) => id === 'spring')?.rules['claimed'];
  };
  const reply = await fetch(`${engine.url}/v1/offers/spring/claims`, {
    method: 'POST', headers: { 'content-type': 'application/json', 'idempotency-key': 'c1' }, body: JSON.stringify({ userId: 'cleo' }),
  });
  const { claim } = await reply.json() as { claim: { id: string } };
  await until(async () => await claimed() === false, 'the wallet has it', 20_000);
  t.match(await send('POST', `/v1/claims/${claim.id}/release`), { status: 200 });
  t.equal(await claimed(), true);
});

await t.test('consent is heard at once; who is not named, or asks for what there is not, is told', async (t) => {
  t.match(await send('PUT', '/v1/users/ann/attributes', { consent: { personalization: false } }), { status: 204 });
  t.match((await send('POST', '/v1/decisions', { userId: 'ann', scene: 'home', cart })).body, { offer: null, reason: 'consent' });
  t.match(await send('POST', '/v1/decisions', { scene: 'home' }), { status: 400, body: { code: 'invalid_request' } });
  t.match(await send('POST', '/v1/decisions', { userId: 'ann', scene: 'attic' }), { status: 400, body: { code: 'invalid_request' } });
  const saved = await send('POST', '/v1/offers', { ...offer, id: 'odd', eligibility: { expression: 'orders >' } });
  t.match(saved, { status: 400, body: { code: 'invalid_expression' } }, 'a bad expression is refused on save');
});

await t.test('who may not have an offer may not claim it', async (t) => {
  t.match(await send('POST', '/v1/offers', { ...offer, id: 'buyers', eligibility: { expression: 'orders > 0' } }), { status: 201 });
  t.match(await send('POST', '/v1/offers/buyers/activate'), { status: 200 });
  const claim = async (key: string) => {
    const reply = await fetch(`${engine.url}/v1/offers/buyers/claims`, {
      method: 'POST', headers: { 'content-type': 'application/json', 'idempotency-key': key }, body: JSON.stringify({ userId: 'cleo' }),
    });
    return { status: reply.status, body: await reply.json() as Body };
  };
  t.match(await claim('one'), { status: 409, body: { code: 'not_eligible' } });
  t.match((await send('POST', '/v1/events', { events: [{ id: 'p1', type: 'purchase', userId: 'cleo', itemId: 'sku-1', value: 100 }] })).body, { accepted: 1 });
  t.match(await claim('two'), { status: 201 }, 'after a purchase');
});

await t.test('while Redis is away there is a list and no offer, and both say so', async (t) => {
  await engine.redis.kill('SIGSTOP');
  t.teardown(() => engine.redis.kill('SIGCONT'));
  const { status, body } = await send('POST', '/v1/recommendations', { userId: 'ann', scene: 'home', offers: true });
  t.equal(status, 200);
  t.equal(body.offer, null);
  t.match(body.decision, { reason: 'failed', degraded: ['not_known'] });
  t.ok(Array.isArray(body['items']));
});
