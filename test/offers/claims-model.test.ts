import fc from 'fast-check';
import t from 'tap';
import { claimRig, NOW, numberOf, reason } from '../helpers/claims.js';
import { startRedis } from '../helpers/redis.js';
import { commandsTo } from '../helpers/streams.js';

const server = await startRedis();
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });
const { claims, offer, claim, balance } = claimRig(redis);

const RESERVE = 500;
const BUDGET = { moneyMinor: 2400, count: 5 };

interface Modelled { id: string; user: number; device: number; status: string; spent: number; expiresAt: number }

/** What an offer is, in twenty lines: the reference that the scripts are held to. */
class Model {
  readonly byKey = new Map<string, Modelled>();

  get all(): Modelled[] { return [...this.byKey.values()]; }
  get out(): Modelled[] { return this.all.filter(({ status }) => status === 'claimed' || status === 'redeemed'); }
  get money(): number { return this.out.reduce((sum, one) => sum + (one.status === 'redeemed' ? one.spent : RESERVE), 0); }

  claim(key: string, user: number, device: number): string {
    const known = this.byKey.get(key);
    if (known !== undefined) return known.user === user && known.device === device ? 'made' : 'key_reused';
    const counted = this.all.filter(({ status }) => status !== 'released' && status !== 'expired');
    if (counted.filter((one) => one.user === user).length >= 2 || counted.filter((one) => one.device === device).length >= 3) return 'cap_reached';
    return this.money + RESERVE > BUDGET.moneyMinor || this.out.length + 1 > BUDGET.count ? 'offer_exhausted' : 'made';
  }
}

const operation = fc.oneof(
  { weight: 5, arbitrary: fc.record({ op: fc.constant('claim' as const), key: fc.integer({ min: 0, max: 12 }), user: fc.integer({ min: 0, max: 4 }), device: fc.integer({ min: 0, max: 2 }) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constantFrom('redeem', 'release', 'refund'), pick: fc.nat(), spent: fc.integer({ min: 0, max: RESERVE }) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('pass' as const), ms: fc.constantFrom(1, 4000, 11_000) }) },
);

let runs = 0;
await t.test('whatever is done in whatever order, the offer agrees with the model', async () => {
  await fc.assert(fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 40 }), async (operations) => {
    const one = await offer(`model-${runs++}`, { budget: BUDGET, caps: { perUser: 2, perDevice: 3 }, claimTtlS: 10 });
    const model = new Model();
    let now = NOW;
    for (const step of operations) {
      if (step.op === 'pass') {
        now += step.ms;
        await claims.noteDue(one.id, (await claims.ledger(one.id, 1000)).flatMap((entry) => entry.claims).filter(({ status }) => status === 'claimed'));
        await claims.sweep(one.id, now, 1000);
        for (const each of model.all) if (each.status === 'claimed' && each.expiresAt <= now) each.status = 'expired';
      } else if (step.op === 'claim') {
        const key = `k${step.key}`;
        const expected = model.claim(key, step.user, step.device);
        const outcome = await claim(one, `u:${step.user}`, { key, deviceId: `d${step.device}`, at: now });
        if (reason(outcome) !== expected) throw new Error(`claim: ${reason(outcome)}, expected ${expected}`);
        if ('claim' in outcome && outcome.isNew) {
          model.byKey.set(key, { id: numberOf(outcome.claim), user: step.user, device: step.device, status: 'claimed', spent: 0, expiresAt: outcome.claim.expiresAt });
        }
      } else {
        const target = model.all[step.pick % Math.max(1, model.all.length)];
        if (target === undefined) continue;
        await claims.settle(step.op, one.id, target.id, now, step.spent);
        if (step.op === 'redeem' && target.status === 'claimed' && now < target.expiresAt) Object.assign(target, { status: 'redeemed', spent: step.spent });
        else if (step.op === 'release' && target.status === 'claimed') target.status = 'released';
        else if (step.op === 'refund' && target.status === 'redeemed') target.status = 'refunded';
      }
      const is = await balance(one);
      const expected = { money: model.money, count: model.out.length };
      if (JSON.stringify(is) !== JSON.stringify({ ...expected, ofClaims: expected })) throw new Error(`after ${step.op}: ${JSON.stringify(is)}, expected ${JSON.stringify(expected)}`);
    }
  }), { numRuns: 60, seed: 7 });
});

await t.test('many at once never get more than there is, whatever they do', async (t) => {
  await fc.assert(fc.asyncProperty(fc.array(operation, { minLength: 40, maxLength: 120 }), async (operations) => {
    const one = await offer(`crowd-${runs++}`, { budget: BUDGET, caps: { perUser: 2, perDevice: 3 } });
    const known: string[] = [];
    let most = 0;
    await Promise.all(operations.map(async (step, i) => {
      if (i % 3 === 0) await new Promise(setImmediate);
      if (step.op === 'claim') {
        const outcome = await claim(one, `u:${step.user}`, { key: `k${step.key}`, deviceId: `d${step.device}` });
        if ('claim' in outcome) known.push(numberOf(outcome.claim));
      } else if (step.op !== 'pass' && known.length > 0) await claims.settle(step.op, one.id, known[step.pick % known.length]!, NOW, step.spent);
      const { count } = await balance(one);
      most = Math.max(most, count);
    }));
    const is = await balance(one);
    if (most > BUDGET.count || is.money > BUDGET.moneyMinor || is.money !== is.ofClaims.money || is.count !== is.ofClaims.count) throw new Error(JSON.stringify({ most, is }));
  }), { numRuns: 15, seed: 8 });
  t.pass();
});
