import t from 'tap';
import { Catalog } from '../../../src/catalog/catalog.js';
import type { Offer } from '../../../src/domain/offer.js';
import { OFFER_COLUMN, OFFER_FEATURES, OFFER_SEEN, viewCart, writeOfferRows, type OfferFeature, type OfferSituation } from '../../../src/offers/decide/offer-features.js';
import { expectedCost } from '../../../src/offers/decide/prepared-offer.js';
import { PRIOR_ERROR, priorScores } from '../../../src/offers/decide/prior.js';
import { showOffer } from '../../../src/offers/decide/shown-offer.js';
import { emptyProfile, TOUCH, type Profile } from '../../../src/profile/profile.js';
import { USER_FEATURES } from '../../../src/profile/vector.js';
import { hash32, hash48 } from '../../../src/util/hash.js';
import { anOffer, NOW, prepared } from '../../helpers/decide.js';

const catalog = new Catalog();
catalog.put({ id: 'boots', title: 'Boots', category: ['shoes', 'shoes/winter'], price: 80 });
catalog.put({ id: 'tea', title: 'Tea', category: ['food'], price: 20 });

function rows(offers: readonly Partial<Offer>[], profile: Profile = emptyProfile(), changes: Partial<OfferSituation> = {}) {
  const out = new Float32Array((offers.length + 1) * OFFER_FEATURES.length).fill(9);
  const situation = { profile, cart: viewCart(undefined, profile, catalog), pageRow: -1, channel: 'page' as const, now: NOW, catalog, ...changes };
  writeOfferRows(out, offers.map((offer, i) => prepared(anOffer(`offer-${i}`, offer))), situation);
  return (row: number, feature: OfferFeature): number => Number(out[row * OFFER_FEATURES.length + OFFER_COLUMN[feature]]!.toFixed(4));
}
const log = (value: number): number => Number(Math.fround(Math.log1p(value)).toFixed(4));

await t.test('names are unique; row 0 is no offer: the situation and nothing else', async (t) => {
  t.equal(new Set(OFFER_FEATURES).size, OFFER_FEATURES.length);
  const profile = { ...emptyProfile(), cart: [{ item: hash48('tea'), quantity: 2, priceMinor: 2000, at: NOW }, { item: hash48('boots'), quantity: 0, priceMinor: 8000, at: NOW }] };
  const at = rows([{}], profile, { channel: 'socket' });
  t.same([at(0, 'cart_value'), at(0, 'cart_units'), at(0, 'is_pushed')], [log(4000), log(2), 1], 'a line that was taken out does not count');
  t.same([at(1, 'cart_value'), at(1, 'is_pushed')], [log(4000), 1], 'the same in every row');
  t.same(OFFER_FEATURES.slice(OFFER_COLUMN.is_offer).map((name) => at(0, name)).filter((value) => value !== 0), []);
});

await t.test('an offer: kind, value against the likely order, what is missing, time', async (t) => {
  const profile = { ...emptyProfile(), orders: 2, spentMinor: 20_000 };
  const at = rows([
    { terms: { kind: 'percentage', basisPoints: 1000, capMinor: 5000 } },
    { terms: { kind: 'threshold', spendMinor: 20_000, saveMinor: 3000 } },
    { terms: { kind: 'flash_sale', itemId: 'boots', priceMinor: 6000, stock: 5, costMinor: 2000 } },
    { terms: { kind: 'group_buy', itemId: 'tea', priceMinor: 1000, size: 3, withinS: 3600, costMinor: 1000 } },
  ], profile, { cart: viewCart({ lines: [{ itemId: 'boots', unitMinor: 8000, quantity: 2 }] }, profile, catalog) });
  t.same([at(1, 'kind_percentage'), at(1, 'kind_threshold'), at(1, 'is_offer')], [1, 0, 1]);
  t.same([at(1, 'value'), at(1, 'value_share')], [log(1600), 0.1], 'ten percent of the cart of the request');
  t.same([at(2, 'spend_needed'), at(2, 'spend_missing')], [log(20_000), 0.2]);
  t.same([at(3, 'price_cut'), at(3, 'is_restricted'), at(3, 'cart_in_scope')], [0.25, 1, 1]);
  t.same([at(4, 'price_cut'), at(4, 'group_size'), at(4, 'cart_in_scope')], [0.5, log(3), 0]);
  t.same([at(1, 'hours_left'), at(1, 'days_running')], [log(24), log(1)]);
  t.equal(expectedCost({ kind: 'percentage', basisPoints: 1000, capMinor: 5000 }, 0), 5000, 'the most it can be when nothing is known');
  t.equal(expectedCost({ kind: 'fixed', saveMinor: 500 }, 300), 300);
});

await t.test('an offer and a shopper: interest, touches, what became of it', async (t) => {
  const profile = emptyProfile();
  profile.updatedAt = NOW;
  profile.touches.push({ item: hash48('tea'), mask: TOUCH.viewed | TOUCH.wished, count: 3, at: NOW });
  profile.categories = { keys: [hash32('shoes'), hash32('food')], short: [1, 2], long: [3, 4] };
  profile.offers.push({ offer: hash48('offer-0'), state: OFFER_SEEN.shown | OFFER_SEEN.selected, at: NOW - 86_400_000 });
  const at = rows([
    { appliesTo: { categories: ['shoes'] } }, { terms: { kind: 'gift', itemId: 'tea', costMinor: 800 } }, {},
  ], profile, { pageRow: catalog.rowOf('boots') });
  t.same([at(1, 'interest_short'), at(1, 'interest_long'), at(1, 'page_in_scope')], [1, 3, 1], 'the category of the page');
  t.same([at(2, 'interest_short'), at(2, 'item_viewed'), at(2, 'item_wished'), at(2, 'item_carted')], [2, 1, 1, 0], 'the category of the gift');
  t.same([at(1, 'shown'), at(1, 'selected'), at(1, 'dismissed'), at(1, 'days_since_shown')], [1, 1, 0, log(1)]);
  t.same([at(3, 'shown'), at(3, 'page_in_scope')], [0, 1], 'one without bounds applies everywhere');
});

await t.test('the prior believes in better offers and warmer shoppers', async (t) => {
  const width = OFFER_FEATURES.length;
  const user = new Float32Array(USER_FEATURES.length);
  const input = new Float32Array(3 * width);
  for (const row of [1, 2]) input[row * width + OFFER_COLUMN.is_offer] = 1;
  input[2 * width + OFFER_COLUMN.value_share] = 0.2;
  const [none, small, large] = priorScores(user, input, 3);
  t.ok(none! < small! && small! < large!);
  user[USER_FEATURES.indexOf('has_order')] = 1;
  t.ok(priorScores(user, input, 3)[0]! > none!);
  t.ok(PRIOR_ERROR.prior > PRIOR_ERROR.model);
});

await t.test('a shopper sees nothing of cost, margin, budget or eligibility', async (t) => {
  const shown = JSON.stringify(showOffer(anOffer('flash', {
    terms: { kind: 'flash_sale', itemId: 'tea', priceMinor: 500, stock: 10, costMinor: 300 }, eligibility: { expression: 'orders > 0' }, holdout: 0.1,
  })));
  t.same(JSON.parse(shown), { id: 'flash', title: 'Offer flash', terms: { kind: 'flash_sale', itemId: 'tea', priceMinor: 500 }, endsAt: NOW + 86_400_000 });
});
