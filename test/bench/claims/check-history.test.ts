import t from 'tap';
import { checkHistory, RULES, type Rule } from '../../../bench/claims/check-history.js';
import type { Answer, FinalClaim, FinalOffer, HistoryEntry, Invocation } from '../../../bench/claims/history.js';
import { seededRandom, type Random } from '../../../src/util/random.js';

interface World { readonly entries: HistoryEntry[]; readonly offers: FinalOffer[] }
type Plain<T> = { -readonly [K in keyof T]: T[K] };

const LIMITS = { countMax: 20, moneyMinorMax: 2000, perUserMax: 2, perDeviceMax: Infinity, reserveMinor: 100 };
const STANDING = ['held', 'claimed', 'redeemed'];

/** A store that keeps its promises, before clients some of whose answers are lost and who ask again. */
function correctWorld(random: Random): World {
  const claims = new Map<string, Plain<FinalClaim>>();
  const keys = new Map<string, string>();
  const entries: HistoryEntry[] = [];
  let at = 0;
  const standing = (): Plain<FinalClaim>[] => [...claims.values()].filter(({ status }) => STANDING.includes(status));
  const tell = (invoked: Omit<Invocation, 'type' | 'op' | 'at'>, answer: Omit<Answer, 'op' | 'at'>): void => {
    const op = entries.length;
    entries.push({ type: 'invoke', op, at: at++, ...invoked });
    const fate = random();
    if (fate < 0.1) return;
    entries.push(fate < 0.2 ? { type: 'unknown', op, at: at++ } : { op, at: at++, ...answer });
  };
  for (let i = 0; i < 200; i++) {
    const n = Math.floor(random() * 40);
    const shopper = `u:${n % 15}`;
    const existing = [...claims.values()][Math.floor(random() * claims.size)];
    if (random() < 0.7 || existing === undefined) {
      const key = `k${n}`;
      const known = keys.get(key);
      const mayMake = standing().length < LIMITS.countMax && standing().filter((claim) => claim.shopper === shopper).length < LIMITS.perUserMax;
      if (known === undefined && mayMake) {
        const id = `c${claims.size}`;
        claims.set(id, { id, shopper, status: 'claimed', holdsMinor: LIMITS.reserveMinor });
        keys.set(key, id);
      }
      const claim = keys.get(key);
      tell({ act: 'claim', offer: 'o', key, shopper }, claim === undefined ? { type: 'fail', reason: 'offer_exhausted' } : { type: 'ok', claim });
    } else {
      const act = (['redeem', 'release', 'refund'] as const)[Math.floor(random() * 3)]!;
      const next = { redeem: ['claimed', 'redeemed', 40], release: ['claimed', 'released', 0], refund: ['redeemed', 'refunded', 0] } as const;
      const [from, to, holdsMinor] = next[act];
      if (existing.status === from) Object.assign(existing, { status: to, holdsMinor });
      tell({ act, offer: 'o', claim: existing.id }, existing.status === to ? { type: 'ok', claim: existing.id } : { type: 'fail', reason: 'claim_settled' });
    }
  }
  const all = [...claims.values()];
  return { entries, offers: [{ id: 'o', ...LIMITS, count: standing().length, moneyMinor: all.reduce((sum, { holdsMinor }) => sum + holdsMinor, 0), claims: all, keys }] };
}

await t.test('histories of a store that keeps its promises have nothing to report, whatever answers were lost', async (t) => {
  for (let seed = 0; seed < 300; seed++) {
    const { entries, offers } = correctWorld(seededRandom(seed));
    t.same(checkHistory(entries, offers), [], `seed ${seed}`);
  }
});

/** Two shoppers, a claim each, told and kept. */
function calm(over: { entries?: readonly HistoryEntry[]; offer?: Partial<FinalOffer> } = {}): World {
  const claims: FinalClaim[] = ['a', 'b'].map((name) => ({ id: `c-${name}`, shopper: `u:${name}`, status: 'claimed', holdsMinor: 100 }));
  const entries = ['a', 'b'].flatMap((name, i): HistoryEntry[] => [
    { type: 'invoke', op: i, act: 'claim', offer: 'o', at: i * 10, key: `k-${name}`, shopper: `u:${name}` }, { type: 'ok', op: i, at: i * 10 + 5, claim: `c-${name}` },
  ]);
  const offer: FinalOffer = { id: 'o', ...LIMITS, count: 2, moneyMinor: 200, claims, keys: new Map([['k-a', 'c-a'], ['k-b', 'c-b']]), ...over.offer };
  return { entries: [...entries, ...over.entries ?? []], offers: [offer] };
}
const [first, second] = calm().offers[0]!.claims as [FinalClaim, FinalClaim];
const act = (op: number, act: Invocation['act'], more: Partial<Invocation>, answer: Omit<Answer, 'op' | 'at'>): HistoryEntry[] =>
  [{ type: 'invoke', op, act, offer: 'o', at: op * 10, ...more }, { op, at: op * 10 + 5, ...answer }];

/** One history for each rule that breaks it, and mostly no other. */
const BROKEN: Readonly<Record<Rule, World>> = {
  over_issued: calm({ offer: { countMax: 1 } }),
  over_money: calm({ offer: { moneyMinorMax: 199 } }),
  over_cap: calm({
    entries: act(5, 'claim', { key: 'k-c', shopper: 'u:a' }, { type: 'ok', claim: 'c-c' }),
    offer: { perUserMax: 1, count: 3, moneyMinor: 300, claims: [first, second, { ...first, id: 'c-c' }], keys: new Map([['k-a', 'c-a'], ['k-b', 'c-b'], ['k-c', 'c-c']]) },
  }),
  key_has_two_claims: calm({ entries: act(5, 'claim', { key: 'k-a', shopper: 'u:a' }, { type: 'ok', claim: 'c-b' }) }),
  claim_has_two_keys: calm({ entries: act(5, 'claim', { key: 'k-x', shopper: 'u:a' }, { type: 'ok', claim: 'c-a' }) }),
  replay_refused: calm({ entries: act(5, 'claim', { key: 'k-a', shopper: 'u:a' }, { type: 'fail', reason: 'offer_exhausted' }) }),
  acknowledged_lost: calm({ offer: { count: 1, moneyMinor: 100, claims: [second], keys: new Map([['k-b', 'c-b']]) } }),
  wrong_shopper: calm({ offer: { claims: [{ ...first, shopper: 'u:b' }, second] } }),
  effect_lost: calm({ entries: act(5, 'redeem', { claim: 'c-a' }, { type: 'ok', claim: 'c-a' }) }),
  effect_uninvited: calm({ offer: { count: 1, moneyMinor: 100, claims: [{ ...first, status: 'released', holdsMinor: 0 }, second] } }),
  phantom_claim: calm({ offer: { count: 3, moneyMinor: 300, claims: [first, second, { ...first, id: 'c-z', shopper: 'u:z' }], keys: new Map([['k-a', 'c-a'], ['k-b', 'c-b'], ['k-z', 'c-z']]) } }),
  counters_differ: calm({ offer: { count: 1 } }),
  unanswerable: calm({ entries: [{ type: 'ok', op: 99, at: 99, claim: 'c-a' }] }),
};

await t.test('a history that breaks a rule is found out', async (t) => {
  const { entries, offers } = calm();
  t.same(checkHistory(entries, offers), [], 'unbroken');
  for (const rule of RULES) {
    const found = checkHistory(BROKEN[rule].entries, BROKEN[rule].offers).map((violation) => violation.rule);
    t.ok(found.includes(rule), `${rule}: ${found.join(', ')}`);
  }
});

await t.test('what looks like a fault and is none', async (t) => {
  const { entries, offers } = calm({ entries: act(5, 'claim', { key: 'k-a', shopper: 'u:z' }, { type: 'fail', reason: 'key_reused' }) });
  t.same(checkHistory(entries, offers), [], 'a key of somebody else is refused');
  const late = calm({ entries: act(5, 'release', { claim: 'c-a' }, { type: 'ok', claim: 'c-a' }), offer: { count: 1, moneyMinor: 100, claims: [{ ...first, status: 'expired', holdsMinor: 0 }, second] } });
  t.same(checkHistory(late.entries, late.offers), [], 'given back when it had expired already');
});

await t.test('a device has no more than it may', async (t) => {
  const withDevice = [first, second].map((claim): FinalClaim => ({ ...claim, device: 'd' }));
  const { entries, offers } = calm({ offer: { perDeviceMax: 1, claims: withDevice } });
  t.match(checkHistory(entries, offers), [{ rule: 'over_cap', what: /device d/u }]);
});

await t.test('more stood at once than may, though all is given back in the end', async (t) => {
  const { entries, offers: [offer] } = calm({ entries: [
    ...act(5, 'release', { claim: 'c-a' }, { type: 'ok', claim: 'c-a' }), ...act(6, 'release', { claim: 'c-b' }, { type: 'ok', claim: 'c-b' }),
  ] });
  const released = [first, second].map((claim): FinalClaim => ({ ...claim, status: 'released', holdsMinor: 0 }));
  const final = { ...offer!, countMax: 1, count: 0, moneyMinor: 0, claims: released };
  t.match(checkHistory(entries, [final]), [{ rule: 'over_issued', what: /2 of 1/u }]);
  const early = entries.map((entry) => (entry.op === 5 && entry.type === 'invoke' ? { ...entry, at: 4 } : entry));
  t.same(checkHistory(early, [final]), [], 'but not where the first may have been back before');
});
