import t from 'tap';
import { choose, contendersOf, deviationOf, expectedProfit, pacedValue, probability, propensityOf, type Contender } from '../../../src/offers/decide/choose.js';

const stake = (score: number, changes: Partial<Contender> = {}): Contender => ({ score, deviation: 0.4, marginMinor: 4000, costMinor: 500, price: 0.1, ...changes });
const logit = (p: number): number => Math.log(p / (1 - p));

await t.test('profit is uplift times margin less cost, and the budget has a price', async (t) => {
  t.equal(expectedProfit({ marginMinor: 4000, costMinor: 500 }, 0.2, 0.1), 0.1 * 4000 - 0.2 * 500);
  t.equal(pacedValue(stake(0, { price: 1 }), 0.25, 0.05), 0.2 * 4000 - 2 * 0.25 * 500);
  t.ok(Math.abs(probability(logit(0.3)) - 0.3) < 1e-12);
});

await t.test('whoever would buy anyway is offered nothing', async (t) => {
  const bystander = [stake(logit(0.302), { deviation: 0.001 })];
  t.same(contendersOf(bystander, 0.3), [], 'the discount would cost more than it brings');
  t.equal(choose([], 0.3, 1).chosen, -1);
  t.equal(choose([], 0.3, 1).propensity, 1);
});

await t.test('an offer that costs more than it can earn is never drawn', async (t) => {
  t.same(contendersOf([stake(3, { costMinor: 4000 }), stake(0)], 0.05), [1]);
  t.same(contendersOf([stake(3, { price: 1e6 })], 0.05), []);
});

await t.test('the same seed draws the same, bit for bit', async (t) => {
  const contenders = [stake(-1), stake(-0.9), stake(-1.5, { deviation: 1 })];
  t.same(choose(contenders, 0.1, 77), choose(contenders, 0.1, 77));
  t.notSame(choose(contenders, 0.1, 77).draws, choose(contenders, 0.1, 78).draws);
});

await t.test('a propensity is how often the draws come out so', async (t) => {
  const cases = [
    { none: 0.1, contenders: [stake(-1.7), stake(-1.6, { deviation: 0.2 }), stake(-2, { deviation: 0.8, costMinor: 300 })] },
    { none: 0.2, contenders: [stake(-1.2, { price: 0.5 }), stake(-1.3, { deviation: 1 })] },
    { none: 0.05, contenders: [stake(-2.4, { deviation: 0.05 })] },
  ];
  for (const { none, contenders } of cases) {
    const draws = 20_000;
    const counts = new Map<number, number>();
    for (let seed = 0; seed < draws; seed++) {
      const { chosen, propensity } = choose(contenders, none, seed * 7919);
      counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
      if (seed < 20) t.equal(propensity, propensityOf(contenders, chosen, none));
    }
    let sum = 0;
    for (let chosen = -1; chosen < contenders.length; chosen++) {
      const propensity = propensityOf(contenders, chosen, none);
      const error = 4 * Math.sqrt((propensity * (1 - propensity)) / draws) + 0.002;
      t.ok(Math.abs((counts.get(chosen) ?? 0) / draws - propensity) < error, `${chosen}: ${propensity} against ${(counts.get(chosen) ?? 0) / draws}`);
      sum += propensity;
    }
    t.ok(Math.abs(sum - 1) < 0.005, `all outcomes together: ${sum}`);
  }
});

await t.test('where everybody gets one, the least bad is drawn, as often as its propensity says', async (t) => {
  const none = 0.3;
  const contenders = [stake(-1.7, { price: 0 }), stake(-1.5, { price: 0, costMinor: 5000 }), stake(-1.6, { price: 0, deviation: 0.8, costMinor: 4000 })];
  t.equal(choose(contenders, none, 1).chosen, -1, 'none of them is worth it');
  t.same(contendersOf([stake(-9, { costMinor: 9000, deviation: 0.01 }), stake(2, { costMinor: 9000, deviation: 0.01 })], none, -Infinity), [0], 'what costs more than it earns is best where it is not taken');
  const draws = 20_000;
  const counts = [0, 0, 0];
  for (let seed = 0; seed < draws; seed++) counts[choose(contenders, none, seed * 7919, -Infinity).chosen]! += 1;
  let sum = 0;
  contenders.forEach((_, chosen) => {
    const propensity = propensityOf(contenders, chosen, none, -Infinity);
    t.ok(Math.abs(counts[chosen]! / draws - propensity) < 4 * Math.sqrt((propensity * (1 - propensity)) / draws) + 0.005, `${chosen}: ${propensity} against ${counts[chosen]! / draws}`);
    sum += propensity;
  });
  t.ok(Math.abs(sum - 1) < 0.01, `all outcomes together: ${sum}`);
});

await t.test('only those that may be best are drawn for, the most promising first, eight at most', async (t) => {
  const offers = Array.from({ length: 50 }, (_, i) => stake(-2 + i / 25));
  const found = contendersOf(offers, 0.05);
  t.equal(found.length, 8);
  t.equal(found[0], 49);
  t.same(contendersOf([stake(0, { deviation: 0.01 }), stake(-2, { deviation: 0.01 })], 0.05), [0], 'the other one cannot win');
});

await t.test('claims tell what the model could not', async (t) => {
  t.equal(deviationOf(0.5, 0), 0.5);
  t.equal(deviationOf(0.5, 96), 0.1);
});
