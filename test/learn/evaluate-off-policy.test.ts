import t from 'tap';
import { judgeReordering, type ShownList } from '../../src/learn/evaluate/judge-reordering.js';
import { estimatePolicy, OFF_POLICY, type OffPolicyEstimate } from '../../src/learn/evaluate/off-policy.js';
import { RewardModel } from '../../src/learn/evaluate/reward-model.js';
import { gaussian, seededRandom, shuffle, type Random } from '../../src/util/random.js';

/**
 * A storefront whose truth is known: an item has three features, of which the first two say how it is liked; a place is
 * looked at with a chance that falls with its depth. The log orders by the second feature, a third of the lists by lot.
 */
const PLACES = 5;
const WIDTH = 3;
const BY_LOT = 1 / 3;
const looked = (place: number): number => 1 / (1 + place);
const liked = (items: Float32Array, row: number): number => 1 / (1 + Math.exp(1 - 1.2 * items[row * WIDTH]! - 0.4 * items[row * WIDTH + 1]!));
/** The policy that is judged orders by the first feature. */
const target = (items: Float32Array): number[] => Array.from({ length: PLACES }, (_, row) => items[row * WIDTH]!);

function drawItems(random: Random): Float32Array {
  return Float32Array.from({ length: PLACES * WIDTH }, () => gaussian(random));
}

function ordered(by: (row: number) => number): number[] {
  return Array.from({ length: PLACES }, (_, row) => row).sort((a, b) => by(b) - by(a));
}

function show(random: Random, shopper: string): ShownList {
  const items = drawItems(random);
  const usual = ordered((row) => items[row * WIDTH + 1]!);
  const order = [...usual];
  if (random() < BY_LOT) shuffle(order, random);
  return {
    shopper, count: PLACES,
    items: Float32Array.from(order.flatMap((row) => [...items.subarray(row * WIDTH, (row + 1) * WIDTH)])),
    worth: Float32Array.from(order, (row, place) => (random() < looked(place) * liked(items, row) ? 1 : 0)),
    propensity: Float32Array.from(order, (row, place) => (usual[place] === row ? 1 - BY_LOT : 0) + BY_LOT / PLACES),
  };
}

/** What the judged policy earns, from the chances themselves. */
function truth(): number {
  const random = seededRandom(99);
  const lists = 40_000;
  let sum = 0;
  for (let i = 0; i < lists; i++) {
    const items = drawItems(random);
    sum += ordered((row) => items[row * WIDTH]!).reduce((value, row, place) => value + looked(place) * liked(items, row), 0);
  }
  return sum / lists;
}

function judge(seed: number): OffPolicyEstimate {
  const random = seededRandom(seed);
  const lists = Array.from({ length: 1200 }, (_, i) => show(random, `s${i >> 1}`));
  return judgeReordering(lists, lists.map(({ items }) => target(items)));
}

await t.test('estimates hold the truth within their intervals, the doubly robust ones most closely', (t) => {
  const value = truth();
  const runs = Array.from({ length: 40 }, (_, seed) => judge(seed * 7919 + 1));
  for (const name of ['ips', 'snips', 'doublyRobust'] as const) {
    const held = runs.filter((run) => run[name].low <= value && value <= run[name].high).length;
    t.ok(held >= 34, `${name}: ${held} of 40 intervals of 95 % hold it`);
    const mean = runs.reduce((sum, run) => sum + run[name].value, 0) / runs.length;
    t.ok(Math.abs(mean - value) < 0.03 * value, `${name}: ${mean} on average, truly ${value}`);
  }
  const variance = (name: 'ips' | 'snips' | 'doublyRobust'): number => {
    const mean = runs.reduce((sum, run) => sum + run[name].value, 0) / runs.length;
    return runs.reduce((sum, run) => sum + (run[name].value - mean) ** 2, 0) / runs.length;
  };
  t.ok(variance('doublyRobust') < 0.9 * variance('ips'), `${variance('doublyRobust')} below ${variance('ips')}`);
  t.ok(runs.every((run) => run.doublyRobust.error < run.ips.error), 'and they say so');
  t.ok(runs.every((run) => run.logged.value < value), 'the judged policy is better than what was shown');
  t.ok(runs.every(({ support }) => support > 0.8 && support < 1.2), 'the log could have shown all of it');
  t.end();
});

await t.test('a policy judged by its own log is worth what it earned', (t) => {
  const random = seededRandom(5);
  const lists = Array.from({ length: 300 }, (_, i) => ({ ...show(random, `s${i}`), propensity: new Float32Array(PLACES).fill(1) }));
  const estimate = judgeReordering(lists, lists.map(() => [5, 4, 3, 2, 1]));
  for (const name of ['ips', 'snips', 'doublyRobust'] as const) t.ok(Math.abs(estimate[name].value - estimate.logged.value) < 1e-9, name);
  t.equal(estimate.support, 1);
  t.equal(estimate.effectivePlaces, estimate.places);
  t.end();
});

await t.test('what the log could not have shown is told by the support', (t) => {
  const lists = [0, 1].map((i) => ({ shopper: `s${i}`, direct: 0.4, places: [{ weight: 0, reward: 1, expected: 0.5 }] }));
  const estimate = estimatePolicy(lists);
  t.equal(estimate.support, 0);
  t.equal(estimate.ips.value, 0);
  t.equal(estimate.snips.value, 0);
  t.equal(estimate.doublyRobust.value, 0.4, 'only the reward model speaks');
  t.end();
});

await t.test('weights are cut and counted; nothing logged gives zeros', (t) => {
  const place = { weight: 10 * OFF_POLICY.weightMax, reward: 1, expected: 0 };
  const estimate = estimatePolicy([{ shopper: 'a', direct: 0, places: [place] }, { shopper: 'b', direct: 0, places: [{ ...place, weight: 1 }] }]);
  t.equal(estimate.cut, 0.5);
  t.equal(estimate.ips.value, (OFF_POLICY.weightMax + 1) / 2);
  const none = estimatePolicy([]);
  t.equal(none.ips.value, 0);
  t.equal(none.support, 0);
  t.same(judgeReordering([], []).lists, 0);
  t.end();
});

await t.test('the reward model: features times place; equal rewards; columns that do not vary', (t) => {
  const random = seededRandom(3);
  const observed = Array.from({ length: 4000 }, (_, i) => {
    const features = [gaussian(random), 7];
    const place = i % 2;
    return { features, place, reward: (place === 0 ? 1 : 0.5) * (2 + features[0]!) };
  });
  const model = new RewardModel(observed);
  t.ok(Math.abs(model.expect({ features: [1, 7], place: 0 }) - 3) < 0.1);
  t.ok(Math.abs(model.expect({ features: [-1, 7], place: 1 }) - 0.5) < 0.1);
  const equal = new RewardModel(observed.map((one) => ({ ...one, reward: 0 })));
  t.equal(equal.expect({ features: [1, 7], place: 0 }), 0);
  t.throws(() => new RewardModel([{ features: [NaN, 1], place: 0, reward: 1 }]), { code: 'invalid_request' });
  t.end();
});
