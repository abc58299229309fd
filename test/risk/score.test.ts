import t from 'tap';
import { readConfig } from '../../src/config.js';
import type { ShopperEvent } from '../../src/domain/event.js';
import type { SuspectInvite } from '../../src/domain/risk.js';
import { fold } from '../../src/profile/fold.js';
import { emptyProfile, type Profile } from '../../src/profile/profile.js';
import { isFlagged, scoreOf, signsOf, toldScore } from '../../src/risk/score.js';
import { NO_LIMITS, VelocityLimiter } from '../../src/risk/velocity.js';
import { seededRandom } from '../../src/util/random.js';
import { anEvent } from '../helpers/streams.js';

const NOW = Date.UTC(2026, 0, 15, 12);
const LIMITS = readConfig({ REDIS_URL: 'redis://nowhere' }).risk;

function profileOf(events: readonly Partial<ShopperEvent>[]): Profile {
  const profile = emptyProfile();
  for (const event of events) fold(profile, anEvent({ at: NOW, ...event }), undefined);
  return profile;
}
const reasonsOf = (profile: Profile): string[] => signsOf(profile, [], LIMITS).map(({ reason }) => reason);
const scored = (profile: Profile, invites: readonly SuspectInvite[] = []): number => scoreOf(signsOf(profile, invites, LIMITS));

await t.test('people browse, buy and return some without a sign', async (t) => {
  const random = seededRandom(3);
  let at = NOW;
  const visits = Array.from({ length: 400 }, (_, i) => {
    at += 1000 + random() ** 3 * 120_000;
    return { type: i % 9 === 0 ? 'search' as const : 'view_item' as const, itemId: `i${i}`, at };
  });
  t.same(reasonsOf(profileOf(visits)), []);
  const bought = Array.from({ length: 10 }, (_, i) => ({ type: 'purchase' as const, itemId: `p${i}`, valueMinor: 9000, at: NOW + i }));
  t.same(reasonsOf(profileOf([...bought, ...bought.slice(0, 4).map((event) => ({ ...event, type: 'refund' as const }))])), []);
  t.same(reasonsOf(profileOf(Array.from({ length: 300 }, (_, i) => ({ type: 'view_item_list' as const, itemId: `l${i}` })))), [], 'a page shows many at once');
});

await t.test('streams that no hand makes', async (t) => {
  const clockwork = profileOf(Array.from({ length: 60 }, (_, i) => ({ itemId: 'same', at: NOW + i * 5000 })));
  t.same(reasonsOf(clockwork), ['clockwork']);
  t.ok(scored(clockwork) >= LIMITS.flagScore);
  t.same(reasonsOf(profileOf(Array.from({ length: 64 }, (_, i) => ({ itemId: `i${i}`, at: NOW + i * 100 })))), ['no_dwell']);
  const fast = profileOf(Array.from({ length: 1200 }, (_, i) => ({ type: 'like' as const, itemId: `i${i}`, at: NOW + i * 300 })));
  t.same(reasonsOf(fast), ['event_rate']);
  t.match(signsOf(fast, [], LIMITS), [{ evidence: /acts a minute/u }]);
});

await t.test('refund farming needs share, number and amount', async (t) => {
  const deeds = (type: 'purchase' | 'refund', count: number, valueMinor: number) => Array.from({ length: count }, (_, i) => ({ type, itemId: `p${i}`, valueMinor }));
  const returned = (count: number, valueMinor: number): Profile => profileOf([...deeds('purchase', count, valueMinor), ...deeds('refund', count, valueMinor)]);
  t.same(reasonsOf(returned(6, 5000)), ['refund_farming']);
  t.same(reasonsOf(returned(6, 500)), [], 'of small change');
  t.same(reasonsOf(returned(2, 50_000)), [], 'only twice');
});

await t.test('signs add up; a flag stays until the score is half; an operator\'s word counts more', async (t) => {
  const by = (likeness: SuspectInvite['by'], claimId: string): SuspectInvite => ({ claimId, by: likeness, at: NOW });
  t.equal(scored(emptyProfile(), [by('device', 'a')]), 0.6);
  t.equal(scored(emptyProfile(), [by('device', 'a'), by('address', 'a'), by('device', 'b')]), 0.9);
  t.equal(isFlagged(0.5, false, LIMITS, undefined), false);
  t.equal(isFlagged(0.5, true, LIMITS, undefined), true);
  t.equal(isFlagged(0.35, true, LIMITS, undefined), false);
  const word = (flag: 'flagged' | 'cleared') => ({ flag, reason: 'looked at', by: 'ann', at: NOW });
  t.equal(isFlagged(1, true, LIMITS, word('cleared')), false);
  t.equal(toldScore({ score: 0.5, isFlagged: true, override: undefined }, LIMITS), LIMITS.flagScore);
  t.equal(toldScore({ score: 0.1, isFlagged: true, override: word('flagged') }, LIMITS), 1);
});

await t.test('requests of a minute are counted by sliding windows, over processes as they tell each other', async (t) => {
  let now = Math.ceil(NOW / 60_000) * 60_000;
  const clock = (): number => now;
  const limits = { ...NO_LIMITS, user: 10, device: 4 };
  const limiter = new VelocityLimiter(limits, clock);
  for (let i = 0; i < 10; i++) t.equal(limiter.take({ user: 'ann' }), undefined);
  t.equal(limiter.take({ user: 'ann' }), 60);
  t.equal(limiter.take({ user: 'ben', ip: '::1' }), undefined, 'others are others, and no limit is none');
  for (let i = 0; i < 3; i++) limiter.take({ user: 'ben', device: 'phone' });
  t.equal(limiter.take({ user: 'cem', device: 'phone' }), undefined);
  t.equal(limiter.take({ user: 'dan', device: 'phone' }), 60, 'many users of one device');
  now += 90_000;
  for (let i = 0; i < 5; i++) t.equal(limiter.take({ user: 'ann' }), undefined, 'half of the minute before still lies in the window');
  t.equal(limiter.take({ user: 'ann' }), 30);
  const other = new VelocityLimiter(limits, clock);
  const minute = Math.floor(now / 60_000);
  for (let i = 0; i < 6; i++) other.take({ user: 'eva' });
  for (let i = 0; i < 4; i++) limiter.take({ user: 'eva' });
  t.match(other.takeUntold(), [{ key: 'user:eva', minute, count: 6 }]);
  t.same(other.takeUntold(), [], 'once');
  limiter.takeUntold();
  limiter.learn('user:eva', minute, 10);
  t.equal(limiter.take({ user: 'eva' }), 30);
});
