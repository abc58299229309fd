import t from 'tap';
import type { DemoRecord } from '../../src/demo/records.js';
import { makeShoppers } from '../../src/demo/shoppers.js';
import { makeStore } from '../../src/demo/store.js';
import { visits } from '../../src/demo/visits.js';
import { makeWorld } from '../../src/demo/world.js';
import { emptyProfile } from '../../src/profile/profile.js';
import { USER_FEATURES, writeUserFeatures } from '../../src/profile/vector.js';
import { replay, type ReplayedList } from '../../src/learn/rows.js';
import { ITEM_FEATURES } from '../../src/ranking/features.js';
import { seededRandom } from '../../src/util/random.js';

const DAY_MS = 86_400_000;
const to = Date.UTC(2026, 0, 1);
const from = to - 6 * DAY_MS;
const items = makeStore({ seed: 3, items: 300, now: to });
const world = makeWorld(items, 3);
const shoppers = makeShoppers({ seed: 3, count: 120, world, from, to });
const records = [...visits({ seed: 3, world, shoppers, from, to })];

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

/** Copies: a replayed list's arrays live for one step only. */
async function lists(some: readonly DemoRecord[]): Promise<ReplayedList[]> {
  const copies: ReplayedList[] = [];
  for await (const list of replay({ items, records: some, from, candidatesMax: 200, reads: new Set(ITEM_FEATURES), random: seededRandom(1) })) {
    copies.push({ ...list, user: list.user.slice(), items: list.items.slice(0, list.count * ITEM_FEATURES.length) });
  }
  return copies;
}

await t.test('lists carry what was done, and only what was known before them', async (t) => {
  const all = await lists(records);
  const engaged = records.filter((record) => record.kind === 'impression').filter(({ clicked, carted, bought }) => clicked.length + carted.length + bought.length > 0);
  t.equal(all.length, 2 * engaged.length, 'each engaged impression twice');
  engaged.forEach((impression, i) => {
    const shown = all[2 * i]!;
    const deeds = impression.items.map((id) => (impression.bought.includes(id) ? 3 : impression.carted.includes(id) ? 2 : impression.clicked.includes(id) ? 1 : 0));
    if (String([...shown.deeds]) !== String(deeds)) t.fail(`deeds of impression ${i}`);
    if (shown.places.some((place, row) => place !== row + 1)) t.fail(`places of impression ${i}`);
    const candidates = all[2 * i + 1]!;
    if (sum(candidates.deeds) > sum(deeds)) t.fail(`deeds that nobody did in ${i}`);
  });
  t.ok(all.every((list) => [...list.user, ...list.items].every(Number.isFinite)), 'all features are finite');

  const half = records.slice(0, records.length / 2);
  const early = await lists(half);
  t.ok(early.length > 50);
  t.same(early, all.slice(0, early.length), 'what comes later changes nothing');
});

await t.test('the list of a newcomer has the features of an empty profile', async (t) => {
  const isNew = USER_FEATURES.indexOf('is_new');
  const first = (await lists(records)).find((list) => list.user[isNew] === 1)!;
  const impression = records.find((record) => record.kind === 'impression' && record.at === first.at)!;
  const expected = new Float32Array(USER_FEATURES.length);
  writeUserFeatures(expected, emptyProfile(), impression.kind === 'impression' ? impression.scene : 'home', first.at);
  t.same(first.user, expected);
});
