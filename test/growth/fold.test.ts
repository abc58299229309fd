import t from 'tap';
import { DEFAULT_GROWTH_RULES, type GrowthRules } from '../../src/domain/growth.js';
import { awardBadges, foldMerit, levelOf, mergeGrowth, type GrowthContext, type Merit } from '../../src/growth/fold.js';
import { prepareRules } from '../../src/growth/prepared-rules.js';
import { newGrowth, type GrowthState } from '../../src/growth/state.js';
import { joinRuns, streakOf } from '../../src/growth/streak.js';
import { dayIn, nameOfDay, weekOf } from '../../src/util/calendar.js';
import { seededRandom, shuffle } from '../../src/util/random.js';

const DAY = 86_400_000;
/** A Thursday. */
const NOW = Date.UTC(2026, 0, 15, 12);
const RULES: GrowthRules = {
  rules: [
    { id: 'spend', on: 'purchase', points: 1, perMinor: 100, pointsPerDayMax: 150 }, { id: 'order', on: 'purchase', points: 7 },
    { id: 'like', on: 'like', points: 2, pointsPerDayMax: 5 }, { id: 'visit', on: 'check_in', points: 3 },
  ],
  levels: [{ points: 10, title: 'One' }, { points: 100, title: 'Two' }],
  tasks: [{ id: 'buy-two', title: 'Buy two', on: 'purchase', times: 2, period: 'week', points: 50 }, { id: 'visit-two', title: 'Come twice', on: 'check_in', times: 2, period: 'month', points: 20 }],
  badges: [{ id: 'buyer', title: 'Buyer', on: 'purchase', times: 1 }, { id: 'rich', title: 'Rich', points: 60 }, { id: 'three', title: 'Three days', streakDays: 3 }],
};
const context = (rules: GrowthRules = RULES, now = NOW): GrowthContext => ({ rules, timezone: 'UTC', now });

let ids = 0;
const deed = (on: Merit['on'], fields: Partial<Merit> = {}): Merit => ({ id: `e${ids++}`, on, at: NOW, ...fields });

function fold(merits: readonly Merit[], state: GrowthState = newGrowth(NOW), rules = RULES): GrowthState {
  for (const merit of merits) foldMerit(state, merit, context(rules));
  awardBadges(state, context(rules), state.refunds.length > 0, () => false);
  state.level = levelOf(state.points, rules);
  return state;
}

await t.test('points by rules, with caps of the day; tasks once in their period; badges; levels', async (t) => {
  const state = fold([deed('like'), deed('like'), deed('like')]);
  t.equal(state.points, 3 + 5, 'the visit, and likes up to the cap');
  fold([deed('purchase', { itemId: 'a', valueMinor: 2050 })], state);
  t.equal(state.points, 8 + 20 + 7);
  t.same([state.level, Object.keys(state.badges)], [1, ['buyer']]);
  fold([deed('purchase', { itemId: 'b', valueMinor: 99 })], state);
  t.equal(state.points, 8 + 20 + 14 + 50, 'the second makes the task');
  fold([deed('purchase', { itemId: 'c', valueMinor: 99 })], state);
  t.equal(state.points, 8 + 20 + 21 + 50, 'which is done once');
  fold([deed('view_item', { at: NOW - DAY }), deed('view_item', { at: NOW - 2 * DAY })], state);
  t.equal(state.points, 99 + 6 + 20, 'two more visits, and the task of them');
  t.same(Object.keys(state.badges).toSorted(), ['buyer', 'rich', 'three']);
  t.equal(foldMerit(state, deed('view_item'), context()), undefined, 'what earns nothing is not kept');
  t.equal(foldMerit(state, deed('purchase', { at: NOW - 61 * DAY, valueMinor: 10_000 }), context()), undefined, 'nor a history that is imported');
});

await t.test('a refund takes back what its purchase gave, in proportion, and its badge and task', async (t) => {
  const bought = [deed('purchase', { itemId: 'a', valueMinor: 10_000, at: NOW - 2000 }), deed('purchase', { itemId: 'b', valueMinor: 1000, at: NOW - 1000 })];
  const state = fold(bought);
  t.equal(state.points, 3 + 100 + 10 + 14 + 50);
  fold([deed('refund', { itemId: 'a', valueMinor: 2500 })], state);
  t.equal(state.points, 3 + 75 + 10 + 6 + 7 + 50, 'a quarter; the fixed part rounded up');
  fold([deed('refund', { itemId: 'a', valueMinor: 7500 })], state);
  t.equal(state.points, 3 + 10 + 7, 'with the task, that needed two');
  fold([deed('refund', { itemId: 'a', valueMinor: 10_000 }), deed('refund', { itemId: 'a' }), deed('refund', { itemId: 'nothing' })], state);
  t.equal(state.points, 3 + 10 + 7, 'no purchase is taken back twice');
  fold([deed('refund', { itemId: 'b' })], state);
  t.equal(state.points, 3, 'a refund without an amount takes the whole');
  t.same(Object.keys(state.badges), []);
});

/** What a shopper may do within some days: many of few items, amounts of all sizes, refunds of everything and nothing. */
function aHistory(random: () => number): Merit[] {
  const kinds = ['purchase', 'purchase', 'refund', 'refund', 'like', 'view_item', 'check_in'] as const;
  return Array.from({ length: 5 + Math.floor(random() * 30) }, () => {
    const on = kinds[Math.floor(random() * kinds.length)]!;
    const amount = random() < 0.2 ? {} : { valueMinor: Math.floor(random() * 30_000) };
    return deed(on, { at: NOW - Math.floor(random() * 20 * DAY), ...on === 'purchase' || on === 'refund' ? { itemId: `i${Math.floor(random() * 3)}`, ...amount } : {} });
  });
}

const seen = ({ points, level, badges, pots, runs }: GrowthState) => ({
  points, level, badges: Object.keys(badges).toSorted(), runs, pots: Object.fromEntries(Object.entries(pots).map(([name, { n, got }]) => [name, [n, got]])),
});
const sorted = (value: ReturnType<typeof seen>): unknown => ({ ...value, pots: Object.entries(value.pots).toSorted(([a], [b]) => (a < b ? -1 : 1)) });

await t.test('any order of deeds and refunds gives the same, never below nothing', async (t) => {
  for (let seed = 1; seed <= 150; seed++) {
    const random = seededRandom(seed);
    const history = aHistory(random);
    const expected = seen(fold(history));
    for (let turn = 0; turn < 4; turn++) {
      shuffle(history, random);
      const state = newGrowth(NOW);
      for (const merit of history) {
        fold([merit], state);
        if (state.points < 0 || Object.values(state.pots).some(({ n, got }) => n < 0 || got < 0)) t.fail(`seed ${seed}: below nothing`);
      }
      if (JSON.stringify(sorted(seen(state))) !== JSON.stringify(sorted(expected))) return t.same(seen(state), expected, `seed ${seed}`);
    }
  }
  return t.pass('150 histories, in 4 orders each');
});


await t.test('a visitor who becomes a user brings along what the user would have got', async (t) => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = seededRandom(seed);
    const history = aHistory(random);
    const mine = history.filter(() => random() < 0.5);
    const theirs = history.filter((merit) => !mine.includes(merit));
    const [user, visitor] = [fold(mine), fold(theirs)];
    const entries = mergeGrowth(user, visitor, 'alias', context());
    user.level = levelOf(user.points, RULES);
    awardBadges(user, context(), true, () => false);
    if (JSON.stringify(sorted(seen(user))) !== JSON.stringify(sorted(seen(fold(history))))) return t.same(seen(user), seen(fold(history)), `seed ${seed}`);
    if (entries.reduce((sum, { points }) => sum + points, 0) !== user.points - fold(mine).points) return t.fail(`seed ${seed}: the ledger says otherwise`);
  }
  return t.pass('100 histories, parted');
});

await t.test('rules that change count from then on', async (t) => {
  const state = fold([deed('purchase', { itemId: 'a', valueMinor: 10_000 })], newGrowth(NOW));
  const doubled: GrowthRules = { ...RULES, rules: [{ id: 'spend', on: 'purchase', points: 2, perMinor: 100 }] };
  fold([deed('purchase', { itemId: 'b', valueMinor: 1000 })], state, doubled);
  t.equal(state.points, 3 + 100 + 7 + 20 + 50);
  fold([deed('refund', { itemId: 'a' })], state, doubled);
  t.equal(state.points, 3 + 20, 'the refund takes back what was given by the old rules, one of which is no more, and the task');
  t.same(prepareRules(DEFAULT_GROWTH_RULES, 0).expressions.size, 0);
  const bad = (rules: Partial<GrowthRules>) => () => prepareRules({ ...DEFAULT_GROWTH_RULES, ...rules }, 1);
  t.throws(bad({ levels: [{ points: 5, title: 'a' }, { points: 5, title: 'b' }] }), { code: 'invalid_request' });
  t.throws(bad({ badges: [{ id: 'a', title: 'a' }] }), { code: 'invalid_request' });
  t.throws(bad({ badges: [{ id: 'a', title: 'a', expression: 'orders >' }] }), { code: 'invalid_expression' });
  t.throws(bad({ rules: [DEFAULT_GROWTH_RULES.rules[0]!, DEFAULT_GROWTH_RULES.rules[0]!] }), { code: 'invalid_request' });
});

await t.test('days and streaks are of the shopper\'s calendar', async (t) => {
  const late = Date.UTC(2026, 0, 15, 23, 30);
  t.equal(nameOfDay(dayIn(late, 'Europe/Berlin')), '2026-01-16');
  t.equal(nameOfDay(dayIn(late, 'America/New_York')), '2026-01-15');
  t.equal(nameOfDay(dayIn(late, 'nowhere')), '2026-01-15');
  t.equal(weekOf(dayIn(Date.UTC(2026, 0, 18), 'UTC')), weekOf(dayIn(NOW, 'UTC')), 'Sunday is of the week …');
  t.equal(weekOf(dayIn(Date.UTC(2026, 0, 19), 'UTC')), weekOf(dayIn(NOW, 'UTC')) + 1, '… Monday begins the next');
  const runs = joinRuns([[10, 10], [13, 14], [11, 12]]);
  t.same(runs, [[10, 14]]);
  t.match(streakOf(runs, 15), { days: 5, longest: 5 }, 'today is not over yet');
  t.match(streakOf(runs, 16), { days: 0, longest: 5 });
});
