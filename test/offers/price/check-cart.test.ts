import t from 'tap';
import { PATIENT, startEngine } from '../../helpers/engine.js';

const engine = await startEngine({ role: 'api', env: PATIENT });
t.teardown(() => engine.stop());

interface Reply { readonly status: number; readonly body: Record<string, unknown> }

async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Reply> {
  const response = await fetch(engine.url + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
  return { status: response.status, body: await response.json() as Record<string, unknown> };
}

async function offer(id: string, terms: Record<string, unknown>, more: Record<string, unknown> = {}): Promise<void> {
  const window = { startsAt: Date.now() - 60_000, endsAt: Date.now() + 3_600_000 };
  const made = await post('/v1/offers', { id, title: id, terms, window, budget: { moneyMinor: 1_000_000, count: 100 }, marginMinor: 500, caps: { perUser: 3 }, ...more });
  if (made.status !== 201) throw new Error(JSON.stringify(made.body));
  await post(`/v1/offers/${id}/activate`, {});
}

interface ClaimView { readonly id: string; readonly code: string }
let keys = 0;
async function claim(id: string, userId: string): Promise<ClaimView> {
  const reply = await post(`/v1/offers/${id}/claims`, { userId }, { 'idempotency-key': `key-${keys++}` });
  if (reply.status !== 201) throw new Error(JSON.stringify(reply.body));
  return reply.body['claim'] as ClaimView;
}
const check = (body: Record<string, unknown>): Promise<Reply> => post('/v1/offers/validate', body);

const cart = { lines: [{ itemId: 'shoe', unitMinor: 8990, quantity: 2 }, { itemId: 'sock', unitMinor: 333, quantity: 3 }], shippingMinor: 490 };

await t.test('set-up', async () => {
  await post('/v1/items', { items: [
    { id: 'shoe', title: 'Shoe', category: ['shoes', 'running'], price: 89.9 }, { id: 'sock', title: 'Sock', category: ['socks'], price: 3.33 },
  ] });
  await offer('save30', { kind: 'threshold', spendMinor: 10_000, saveMinor: 3000 }, { stacking: { group: 'coupon' } });
  await offer('tenth', { kind: 'percentage', basisPoints: 1000, capMinor: 5000 }, { stacking: { group: 'coupon' } });
  await offer('ship', { kind: 'free_shipping', capMinor: 400 }, { stacking: { group: 'shipping' } });
  await offer('socks', { kind: 'percentage', basisPoints: 3333, capMinor: 5000 }, { stacking: { group: 'socks' }, appliesTo: { categories: ['socks'] } });
  await offer('running', { kind: 'fixed', saveMinor: 100 }, { stacking: { group: 'running' }, appliesTo: { categories: ['shoes/running'] } });
  await offer('flash', { kind: 'flash_sale', itemId: 'shoe', priceMinor: 6000, stock: 5, costMinor: 2990 }, { stacking: { group: 'flash' } });
  await offer('dear', { kind: 'threshold', spendMinor: 50_000, saveMinor: 3000 }, { stacking: { group: 'dear' } });
  await offer('yen', { kind: 'fixed', saveMinor: 100 }, { currency: 'JPY', stacking: { group: 'yen' } });
});

await t.test('offers that are tried: the best combination, exact amounts, and why the others do not apply', async (t) => {
  const reply = await check({ userId: 'ann', cart: { ...cart, currency: 'EUR' }, offerIds: ['save30', 'tenth', 'ship', 'socks', 'running', 'dear', 'yen', 'nothing'] });
  t.equal(reply.status, 200);
  // Of the coupons 30 is more than a tenth of 18,979; socks first: ⌊999 × 33.33 %⌋ = 332.
  t.match(reply.body, { subtotalMinor: 18_979, shippingMinor: 490, discountMinor: 3000 + 400 + 332 + 100, totalMinor: 18_979 + 490 - 3832, isBest: true });
  const applied = reply.body['applied'] as { offerId: string; linesMinor: number[] }[];
  t.same(applied.map(({ offerId }) => offerId).toSorted(), ['running', 'save30', 'ship', 'socks']);
  t.same(applied.find(({ offerId }) => offerId === 'socks')?.linesMinor, [0, 332]);
  t.same((reply.body['notApplied'] as { offerId: string }[]).toSorted((a, b) => (a.offerId < b.offerId ? -1 : 1)), [
    { offerId: 'dear', reason: 'below_spend', missingMinor: 31_021 }, { offerId: 'nothing', reason: 'unknown_offer' },
    { offerId: 'tenth', reason: 'not_combined' }, { offerId: 'yen', reason: 'other_currency' },
  ]);
});

await t.test('the wallet: claims are used, a flash sale once for each of its claims', async (t) => {
  t.match((await check({ userId: 'bea', cart })).body, { discountMinor: 0, applied: [], notApplied: [] });
  const flash = [await claim('flash', 'bea'), await claim('flash', 'bea'), await claim('flash', 'bea')];
  const ship = await claim('ship', 'bea');
  const reply = await check({ userId: 'bea', cart });
  t.match(reply.body, { discountMinor: 2 * 2990 + 400, linesMinor: [12_000, 999] });
  const applied = new Map((reply.body['applied'] as { offerId: string; claimIds: string[] }[]).map((one) => [one.offerId, one.claimIds]));
  const twoUsed = applied.get('flash') ?? [];
  const third = flash.filter(({ id }) => !twoUsed.includes(id));
  t.same([twoUsed.length, third.length], [2, 1], 'two shoes use up two claims');
  t.same(reply.body['notApplied'], [{ offerId: 'flash', claimId: third[0]?.id, reason: 'nothing_applies' }]);
  t.same(applied.get('ship'), [ship.id]);
  await claim('save30', 'bea');
  const tenth = await claim('tenth', 'bea');
  t.same((await check({ userId: 'bea', cart })).body['notApplied'], [{ offerId: 'tenth', claimId: tenth.id, reason: 'not_combined' }, { offerId: 'flash', claimId: third[0]?.id, reason: 'nothing_applies' }]);
  t.match((await check({ userId: 'other', cart })).body, { discountMinor: 0 }, 'only for who holds them');
});

await t.test('an offer is there for the till at once, whatever the process has heard of it', async (t) => {
  for (let i = 0; i < 5; i++) {
    const body = { id: `new${i}`, title: 'New', terms: { kind: 'fixed', saveMinor: 100 }, window: { startsAt: 0, endsAt: Date.now() + 3_600_000 }, budget: { moneyMinor: 1000, count: 10 }, marginMinor: 500 };
    await post('/v1/offers', body);
    t.match((await check({ userId: 'dan', offerIds: [body.id], cart })).body, { notApplied: [{ reason: 'offer_not_active' }] });
    await post(`/v1/offers/${body.id}/activate`, {});
    t.match((await check({ userId: 'dan', offerIds: [body.id], cart })).body, { discountMinor: 100, notApplied: [] });
  }
});

await t.test('codes: whoever presents them; used up, given back and invented ones are told apart', async (t) => {
  const open = await claim('tenth', 'cleo');
  const gone = await claim('save30', 'cleo');
  await post(`/v1/claims/${gone.id}/release`, {});
  const reply = await check({ cart, codes: [open.code, gone.code, 'tenth-0000000000000000000000000', 'rubbish'] });
  t.match(reply.body, { discountMinor: 1897, applied: [{ offerId: 'tenth', claimIds: [open.id] }] });
  t.same((reply.body['notApplied'] as { reason: string }[]).map(({ reason }) => reason).toSorted(), ['claim_not_open', 'unknown_code', 'unknown_code']);
});

await t.test('what cannot be priced is refused with the field named', async (t) => {
  t.match(await check({ cart }), { status: 400, body: { code: 'invalid_request', message: /userId/u } });
  t.match(await check({ userId: 'ann', cart: { lines: [] } }), { status: 400, body: { message: /lines/u } });
  t.match(await check({ userId: 'ann', cart: { lines: [{ itemId: 'x', unitMinor: 1.5, quantity: 1 }] } }), { status: 400, body: { message: /unitMinor/u } });
  t.match(await check({ userId: 'ann', cart: { lines: [{ itemId: 'x', unitMinor: 1e11, quantity: 1000 }] } }), { status: 400, body: { message: /exactly/u } });
  t.match(await check({ userId: 'ann', cart, codes: ['a'], offerIds: ['b'] }), { status: 400, body: { message: /one of them/u } });
});
