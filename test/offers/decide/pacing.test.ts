import t from 'tap';
import { PACING, pacingPrice, plannedShare, spentShare } from '../../../src/offers/decide/pacing.js';
import { seededRandom } from '../../../src/util/random.js';
import { anOffer, NOW, ON_PLAN, UNUSED } from '../../helpers/decide.js';

await t.test('shares of budget, count and stock, and of the window', async (t) => {
  const offer = anOffer('spring');
  t.equal(plannedShare(offer, NOW), 0.5);
  t.equal(plannedShare(offer, NOW - 1e12), 0);
  t.equal(plannedShare(offer, NOW + 1e12), 1);
  t.equal(spentShare(offer, { count: 2500, moneyMinor: 100_000 }), 0.25, 'the count is further');
  t.equal(spentShare(offer, { count: 0, moneyMinor: 250_000 }), 0.25);
  const sale = anOffer('flash', { terms: { kind: 'flash_sale', itemId: 'tea', priceMinor: 500, stock: 10, costMinor: 300 } });
  t.equal(spentShare(sale, { count: 5, moneyMinor: 0 }), 0.5, 'of the stock');
});

await t.test('ahead of the plan the budget becomes dear, behind it cheap', async (t) => {
  const offer = anOffer('spring');
  t.equal(pacingPrice(offer, ON_PLAN, NOW), PACING.priceOnPlan);
  t.ok(pacingPrice(offer, { count: 0, moneyMinor: 520_000 }, NOW) > 50 * PACING.priceOnPlan, '2 % ahead');
  t.ok(pacingPrice(offer, UNUSED, NOW) < 1e-9);
  t.ok(Number.isFinite(pacingPrice(offer, { count: 0, moneyMinor: 1e9 }, NOW)));
});

await t.test('a scarce budget lasts the whole window and goes to those on whom it earns most', async (t) => {
  const offer = anOffer('spring', { budget: { moneyMinor: 500_000, count: 1e6 } });
  const { startsAt, endsAt } = offer.window;
  const random = seededRandom(5);
  let spent = 0;
  let furthest = 0;
  let earned = 0;
  const visits = 20_000;
  // Each visit's uplift × margin; a claim costs 500. The budget suffices for one visit in twenty.
  for (let visit = 0; visit < visits; visit++) {
    const now = startsAt + ((endsAt - startsAt) * visit) / visits;
    const value = random() * 2000;
    if (value - (1 + pacingPrice(offer, { count: 0, moneyMinor: spent }, now)) * 500 <= 0 || spent + 500 > 500_000) continue;
    spent += 500;
    earned += value;
    furthest = Math.max(furthest, Math.abs(spent / 500_000 - plannedShare(offer, now)));
  }
  t.ok(furthest < 0.02, `never further from the plan than 2 %: ${furthest}`);
  t.ok(spent / 500_000 > 0.98, `used up: ${spent}`);
  t.ok(earned / (spent / 500) > 1850, `the best twentieth earns 1950 on average, all of them 1000: ${earned / (spent / 500)}`);
});
