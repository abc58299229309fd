import t from 'tap';
import { Catalog } from '../../src/catalog/catalog.js';
import type { Attributes } from '../../src/domain/attributes.js';
import type { EventType, ShopperEvent } from '../../src/domain/event.js';
import { NO_BUYERS, decodeBuyers, encodeBuyers, sumBuyers, type Buyers } from '../../src/profile/buyers.js';
import { describePortrait } from '../../src/profile/describe-portrait.js';
import { fold } from '../../src/profile/fold.js';
import { PORTRAIT_FIELDS, type PortraitFieldName } from '../../src/profile/portrait-schema.js';
import { PortraitView } from '../../src/profile/portrait.js';
import { emptyProfile } from '../../src/profile/profile.js';
import { bucketOf } from '../../src/util/quantile-sketch.js';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 6, 15, 12);
const catalog = new Catalog();
catalog.put({ id: 'sneaker', title: 'Sneaker', category: ['shoes', 'running'], brand: 'acme', price: 80, tags: ['red'] });
catalog.put({ id: 'boot', title: 'Boot', category: ['shoes', 'boots'], brand: 'acme', price: 120 });
catalog.put({ id: 'novel', title: 'Novel', category: ['books'], brand: 'page', price: 10 });

type Deed = readonly [daysAgo: number, type: EventType, more?: Partial<ShopperEvent>];
interface Setting { readonly attributes?: Attributes; readonly buyers?: Buyers; readonly now?: number; readonly segments?: readonly string[] }

let ids = 0;
function viewOf(deeds: readonly Deed[], { attributes, buyers = NO_BUYERS, now = NOW, segments = [] }: Setting = {}): PortraitView {
  const profile = emptyProfile();
  for (const [daysAgo, type, more] of deeds.toSorted((a, b) => b[0] - a[0])) {
    const event: ShopperEvent = { id: `p${ids++}`, type, shopper: 'u:ann', at: NOW - daysAgo * DAY, ...more };
    fold(profile, event, event.itemId === undefined ? undefined : catalog.facts(event.itemId));
  }
  return new PortraitView({ profile, attributes, growth: undefined, riskScore: undefined, segments, book: catalog, buyers, now });
}
const order = (daysAgo: number, valueMinor = 1000): Deed => [daysAgo, 'purchase', { itemId: 'novel', valueMinor }];

await t.test('the stages of a lifecycle, by the defaults and by the shopper\'s own gap between orders', async (t) => {
  const stage = (...deeds: Deed[]): string => viewOf(deeds).lifecycle;
  t.equal(stage(), 'potential', 'nobody yet');
  t.equal(stage([1, 'view_item']), 'potential');
  t.equal(stage(order(1)), 'new');
  t.equal(stage(order(1), order(5)), 'active');
  t.equal(stage(...[1, 2, 3, 4, 5].map((days) => order(days))), 'loyal');
  t.equal(stage(order(31)), 'dormant');
  t.equal(stage(order(31), [29, 'view_item']), 'new', 'who still looks is not silent');
  t.equal(stage(order(91)), 'churned');
  t.equal(stage([31, 'view_item']), 'dormant');
  t.equal(stage(order(40), order(100), order(160)), 'active', 'one order in 60 days: dormant after 120');
  t.equal(stage(order(121), order(181), order(241)), 'dormant');
  t.equal(stage(order(241), order(301), order(361)), 'churned');
  t.equal(stage(order(15), order(18), order(21)), 'dormant', 'one order in 3 days: dormant after 14');
  t.equal(stage(order(46), order(49), order(52)), 'churned');
});

await t.test('a value tier is a place among the store\'s buyers', async (t) => {
  const today = Math.floor(NOW / DAY);
  const crowd = sumBuyers(Array.from({ length: 100 }, (_, i) => [[`1:${today - i}`, 1], [`2:${bucketOf(1 + Math.floor((100 - i) / 20))}`, 1], [`3:${bucketOf((100 - i) * 1000)}`, 1]] as const).flat());
  const buyers = decodeBuyers(encodeBuyers(crowd));
  t.equal(buyers.frequency.total, 100);
  const best = viewOf([1, 2, 3, 4, 5].map((days) => order(days, 30_000)), { buyers });
  t.same([best.valueTier, best.recencyScore, best.frequencyScore, best.moneyScore], ['high', 5n, 5n, 5n]);
  t.equal(viewOf([order(50, 30_000), order(55, 30_000)], { buyers }).valueTier, 'mid');
  t.equal(viewOf([order(95, 500)], { buyers }).valueTier, 'low');
  t.equal(viewOf([[1, 'view_item']], { buyers }).valueTier, 'none');
  t.equal(viewOf([order(1)]).valueTier, 'none', 'too few buyers to compare with');
  const same = sumBuyers([[`1:${today}`, 50], [`2:${bucketOf(1)}`, 50], [`3:${bucketOf(1000)}`, 50]]);
  t.equal(viewOf([order(0)], { buyers: same }).frequencyScore, 3n, 'who is like all others is in the middle');
});

await t.test('promotions: how many were chosen, and which orders followed one', async (t) => {
  t.equal(viewOf([order(1)]).promotionSensitivity, undefined);
  const ignores = viewOf([...Array.from({ length: 10 }, (): Deed => [2, 'view_promotion']), order(1)]);
  const hunts = viewOf([[3, 'view_promotion'], [3, 'select_promotion'], order(2), [1.5, 'view_promotion'], [1.5, 'select_promotion'], order(1)]);
  t.ok(ignores.promotionSensitivity! < 0.1, String(ignores.promotionSensitivity));
  t.ok(hunts.promotionSensitivity! > 0.6, String(hunts.promotionSensitivity));
  t.equal(hunts.parts.profile.promotedOrders, 2);
  t.equal(viewOf([[9, 'select_promotion'], order(1)]).parts.profile.promotedOrders, 0, 'eight days later it is not the promotion');
  t.equal(viewOf([order(5), [3, 'select_promotion']]).parts.profile.promotedOrders, 0, 'nor before it');
});

await t.test('activity, social role, interests, season and cart', async (t) => {
  const view = viewOf([
    [400, 'view_item', { itemId: 'novel' }], [100, 'view_item', { itemId: 'novel' }],
    [1, 'view_item', { itemId: 'sneaker' }], [0.5, 'add_to_cart', { itemId: 'sneaker', quantity: 2 }], [0.4, 'share', { itemId: 'sneaker' }], [0.3, 'view_item', { itemId: 'boot' }],
  ]);
  t.match(view, { activity: 'low', socialRole: 'sharer', cartItems: 1n, cartMinor: 16_000n, wishlistItems: 0n, orders: 0n, daysSinceOrder: undefined });
  t.ok(view.categories.get('shoes')! > view.categories.get('shoes/running')!);
  t.same([...view.tags.keys()], ['red']);
  t.ok(view.priceLevel! > 3);
  t.same([...view.season], [['shoes', 1]], 'the novel was read in another quarter');
  const lastYear = viewOf([[365, 'view_item', { itemId: 'novel' }], [1, 'view_item', { itemId: 'boot' }]]);
  t.same(Object.fromEntries(lastYear.season), { books: 0.5, shoes: 0.5 }, 'the same quarter of any year counts');
  t.equal(viewOf([[20, 'view_item']]).activity, 'idle');
  t.equal(viewOf(Array.from({ length: 30 }, (): Deed => [0.1, 'view_item'])).activity, 'high');
});

await t.test('attributes: consent, the store\'s own, and birthdays where the shopper lives', async (t) => {
  const attributes: Attributes = { consent: { marketing: true }, region: 'north', birthday: '1990-07-16', timezone: 'Asia/Tokyo', custom: { vip: true, region: 'south' } };
  const view = viewOf([], { attributes });
  t.same([...view.consent], [['marketing', true]]);
  t.match(Object.fromEntries(view.attributes), { vip: true, region: 'north', birthday: '07-16' });
  t.equal(view.daysToBirthday, 1n);
  t.equal(viewOf([], { attributes, now: NOW + 4 * 3_600_000 }).daysToBirthday, 0n, 'in Tokyo it is tomorrow already');
  t.equal(viewOf([], { attributes: { birthday: '07-14' } }).daysToBirthday, 364n);
  t.equal(viewOf([], { attributes: { birthday: '02-29' }, now: Date.UTC(2027, 1, 28, 5) }).daysToBirthday, 1n, 'the 1st of March where there is no 29th');
  t.equal(viewOf([]).daysToBirthday, undefined);
});

await t.test('as JSON it has every field by its name, interests with evidence', async (t) => {
  const view = viewOf([[8.5, 'view_item', { itemId: 'sneaker' }], [3, 'view_item', { itemId: 'boot' }], [2, 'purchase', { itemId: 'boot', valueMinor: 12_000 }]], { segments: ['new'] });
  const json = describePortrait(view, [{ id: 'new', title: 'New', kind: 'segment', since: '2026-07-13T12:00:00.000Z' }]);
  for (const name of Object.keys(PORTRAIT_FIELDS)) t.ok(name in json, name);
  t.match(json, {
    lifecycle: 'new', orders: 1, spentMinor: 12_000, daysSinceOrder: 2, daysBetweenOrders: null, segments: [{ id: 'new' }],
    categories: [{ name: 'shoes', evidence: '2 items viewed, 1 bought, last 2 to 8 days ago' }, { name: 'shoes/boots', evidence: '1 item viewed, 1 bought, last 2 days ago' }, { name: 'shoes/running' }],
    evidence: { lifecycle: /^1 order; silent for 2 days/u, valueTier: /too few buyers/u },
  });
  t.equal(JSON.parse(JSON.stringify(json)).points, 0);
});

await t.test('the document has a getter for every field, and no value of another type than it says', async (t) => {
  const view = viewOf([[40, 'view_item', { itemId: 'boot' }], order(30), order(3)], { attributes: { birthday: '01-01', consent: { sms: false } } });
  for (const [name, { type }] of Object.entries(PORTRAIT_FIELDS)) {
    const value: unknown = view[name as PortraitFieldName];
    if (value === undefined) continue;
    const found = typeof value === 'bigint' ? 'int' : typeof value === 'number' ? 'double' : typeof value === 'string' ? 'string' : Array.isArray(value) ? 'list' : value instanceof Map ? 'map' : 'another';
    t.equal(found, type.split('<')[0], name);
  }
});
