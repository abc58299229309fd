import t from 'tap';
import type { FinalOffer } from '../../../bench/claims/history.js';
import { CUTS, nextCut } from '../../../bench/live/cut-plan.js';
import { checkLadder, type Served } from '../../../bench/live/ladder.js';
import { spreadOf, wavesOf } from '../../../bench/live/reconnects.js';
import { fitLine } from '../../../bench/live/slope.js';
import { seededRandom } from '../../../src/util/random.js';

/** What judges the runs of `npm run bench:live` finds what is planted. */

const claim = (id: string, userId: string): FinalOffer['claims'][number] => ({ id, shopper: `u:${userId}`, status: 'claimed', holdsMinor: 100 });
const offer = (id: string, claims: FinalOffer['claims'], more: Partial<FinalOffer> = {}): FinalOffer => ({
  id, countMax: 2, moneyMinorMax: 200, perUserMax: 1, perDeviceMax: Infinity, reserveMinor: 100, count: claims.length, moneyMinor: claims.length * 100, claims, keys: new Map(), ...more,
});
const got = (userId: string, shown?: string): Served => ({ userId, claim: shown, isDefault: shown === undefined, isLogged: true });
const OFFERS = [offer('a', [claim('a.1', 'ann'), claim('a.2', 'bob')]), offer('b', [claim('b.1', 'cem')])];
const SERVED = [got('ann', 'a.1'), got('bob', 'a.2'), got('cem', 'b.1'), got('dee')];

await t.test('everybody served once, within stock and budget', async (t) => {
  t.same(checkLadder(OFFERS, SERVED, 4), { counts: { claimed: 3, byDefault: 1, soldOut: 0, early: 0, claims: [2, 1] }, broken: [] });
});

await t.test('a claim that was given back is none', async (t) => {
  const released = { ...claim('b.2', 'dee'), status: 'released', holdsMinor: 0 } as const;
  t.same(checkLadder([OFFERS[0]!, offer('b', [claim('b.1', 'cem'), released], { count: 1, moneyMinor: 100 })], SERVED, 4).broken, []);
});

await t.test('told before the log had it, and again with its place, is once', async (t) => {
  t.match(checkLadder(OFFERS, [...SERVED, { ...SERVED[0]!, isLogged: false }], 4), { counts: { claimed: 3, early: 1 }, broken: [] });
});

const PLANTED: Readonly<Record<string, readonly [readonly FinalOffer[], readonly Served[], string]>> = {
  'more claims than there are': [[offer('a', OFFERS[0]!.claims, { countMax: 1 }), OFFERS[1]!], SERVED, 'a: 2 claims of 1, 200 of 200 minor units'],
  'more money than there is': [[offer('a', OFFERS[0]!.claims, { moneyMinorMax: 199 }), OFFERS[1]!], SERVED, 'a: 2 claims of 2, 200 of 199 minor units'],
  'a counter that is wrong': [[offer('a', OFFERS[0]!.claims, { count: 1 }), OFFERS[1]!], SERVED, 'a: counts 1 claims and 200 minor units, holds 2 and 200'],
  'two claims for one': [[OFFERS[0]!, offer('b', [claim('b.1', 'ann')])], [SERVED[0]!, SERVED[1]!, got('cem'), SERVED[3]!], '3 claims for 2 shoppers'],
  'a claim that nobody was shown': [OFFERS, [SERVED[0]!, SERVED[1]!, got('cem'), SERVED[3]!], '3 claims were made, 2 shown'],
  'a frame twice': [OFFERS, [...SERVED, SERVED[0]!], 'ann got two offers'],
  'another offer than was told before': [OFFERS, [...SERVED, { ...got('dee', 'a.1'), isLogged: false }], 'dee was told one thing and sent another'],
  'somebody left out': [OFFERS, SERVED.slice(0, 3), '1 of 4 viewers got nothing'],
  "somebody else's claim": [OFFERS, [got('bob', 'a.1'), got('ann', 'a.2'), SERVED[2]!, SERVED[3]!], 'bob was shown claim a.1 of u:ann'],
  'a claim that is not there': [OFFERS, [...SERVED.slice(0, 3), got('dee', 'b.2')], 'dee was shown claim b.2 of nobody'],
};

for (const [name, [offers, served, found]] of Object.entries(PLANTED)) {
  await t.test(`found: ${name}`, async (t) => {
    const { broken } = checkLadder(offers, served, 4);
    t.ok(broken.includes(found), broken.join('; '));
  });
}

await t.test('a seed is a plan of cuts, and each kind comes as often as it should', async (t) => {
  const plan = (seed: number): ReturnType<typeof nextCut>[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 10_000 }, () => nextCut(random));
  };
  t.same(plan(1), plan(1));
  t.not(plan(1)[0]!.at, plan(2)[0]!.at);
  for (const [kind, weight] of Object.entries(CUTS)) {
    const share = plan(3).filter((cut) => cut.kind === kind).length / 100;
    t.ok(Math.abs(share - weight) < 2, `${kind}: ${share} of 100`);
  }
});

await t.test('a line through points', async (t) => {
  t.same(fitLine([{ x: 0, y: 1 }, { x: 1, y: 3 }, { x: 2, y: 5 }]), { slope: 2, mean: 3 });
  t.same(fitLine([{ x: 1, y: 4 }]), { slope: 0, mean: 4 });
});

await t.test('reconnects: each wave by itself, its fullest second by the mean', async (t) => {
  const even = Array.from({ length: 40 }, (_, n) => n * 100);
  const waves = wavesOf([...even, 9000, 9001, 9002], 1000);
  t.same(waves.map((wave) => wave.length), [40, 3]);
  t.match(spreadOf(even), { count: 40, seconds: 3.9, peakByMean: 10 / (40 / 3.9) });
  t.match(spreadOf([...even, ...Array.from({ length: 60 }, () => 3900)]), { count: 100, peakByMean: 70 / (100 / 3.9) });
  t.same(spreadOf([5]), { count: 1, seconds: 1, peakByMean: 1 });
  t.same(spreadOf([]), { count: 0, seconds: 0, peakByMean: 0 });
});
