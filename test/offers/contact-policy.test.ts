import t from 'tap';
import { DAY_MS, hasRoom, quietUntil } from '../../src/offers/contact-policy.js';
import { connectRedis, untilReady } from '../../src/redis/client.js';
import { ContactStore } from '../../src/redis/contact-store.js';
import type { OfferMessage } from '../../src/domain/offer-message.js';
import { OfferStore } from '../../src/redis/offer-store.js';
import { KEYS } from '../helpers/live.js';
import { startRedis } from '../helpers/redis.js';

const NIGHT = { from: 22, until: 8, timezone: 'UTC' };
const at = (iso: string): number => Date.parse(iso);

await t.test('caps count what lies in the last day and week', async (t) => {
  const now = at('2026-03-10T12:00:00Z');
  const contacts = [{ id: 'a', at: now - 3 * DAY_MS }, { id: 'b', at: now - DAY_MS }, { id: 'c', at: now - DAY_MS + 1 }];
  t.equal(hasRoom({ perDayMax: 2, perWeekMax: 0 }, contacts, now), true, 'one in the last 24 hours');
  t.equal(hasRoom({ perDayMax: 1, perWeekMax: 0 }, contacts, now), false);
  t.equal(hasRoom({ perDayMax: 0, perWeekMax: 3 }, contacts, now), false);
  t.equal(hasRoom({ perDayMax: 0, perWeekMax: 0 }, contacts, now), true, '0: no cap');
});

await t.test('quiet hours go by the shopper\'s clock, over midnight too', async (t) => {
  t.equal(quietUntil(NIGHT, undefined, at('2026-03-10T23:30:00Z')), at('2026-03-11T08:00:00Z'));
  t.equal(quietUntil(NIGHT, undefined, at('2026-03-10T08:00:00Z')), undefined);
  t.equal(quietUntil(NIGHT, 'America/New_York', at('2026-03-10T12:00:00Z')), undefined, 'eight in the morning there');
  t.equal(quietUntil(NIGHT, 'America/New_York', at('2026-03-10T11:10:00Z')), at('2026-03-10T12:00:00Z'));
  t.equal(quietUntil(NIGHT, 'Nowhere/Land', at('2026-03-10T23:30:00Z')), at('2026-03-11T08:00:00Z'), 'the store\'s for a zone that does not exist');
  t.equal(quietUntil({ ...NIGHT, from: 9, until: 12 }, undefined, at('2026-03-10T10:20:00Z')), at('2026-03-10T12:00:00Z'));
  t.equal(quietUntil({ ...NIGHT, from: 0, until: 0 }, undefined, at('2026-03-10T00:20:00Z')), undefined, 'none');
  // Summer time begins: the hour from 2 to 3 is missing.
  t.equal(quietUntil({ ...NIGHT, timezone: 'Europe/Berlin' }, undefined, at('2026-03-29T00:10:00Z')), at('2026-03-29T06:00:00Z'));
});

await t.test('what is pushed and what a page shows count together; nothing is sent beyond the caps', async (t) => {
  const server = await startRedis();
  t.teardown(() => server.stop());
  const redis = connectRedis(server.url, 'commands', { timeoutMs: 2000, name: 'test' });
  t.teardown(() => { redis.disconnect(); });
  await untilReady(redis, 10_000);
  let now = at('2026-03-10T12:00:00Z');
  const offers = new OfferStore(redis, KEYS, { caps: { perDayMax: 2, perWeekMax: 3 }, consentRequired: false, clock: () => now });
  const contacts = new ContactStore(redis, KEYS);
  const message = (id: string): OfferMessage => ({
    id, kind: 'notice', cause: 'test', title: 'A word', createdAt: new Date(now).toISOString(), expiresAt: new Date(now + DAY_MS).toISOString(),
  });
  contacts.note('u:ann', { id: 'page spring', at: now });
  while ((await contacts.read('u:ann')).length === 0) await new Promise((resolve) => { setTimeout(resolve, 5); });
  t.equal(await offers.send('u:ann', message('a')), 'sent');
  t.equal(await offers.send('u:ann', message('b')), 'capped', 'a page and a push');
  t.equal(await offers.send('u:ann', message('a')), 'sent_before', 'a repetition is told so, cap or not');
  t.equal(await offers.send('u:bob', message('b')), 'sent', 'somebody else is not concerned');
  now += DAY_MS;
  t.equal(await offers.send('u:ann', message('b')), 'sent', 'a day later');
  t.equal(await offers.send('u:ann', message('c')), 'capped', 'three in a week');
  t.same((await contacts.read('u:ann')).map(({ id }) => id), ['a', 'page spring', 'b']);
  const uncapped = new OfferStore(redis, KEYS, { caps: { perDayMax: 0, perWeekMax: 0 }, consentRequired: false, clock: () => now });
  const pause = (holder: string, ms = 2 * DAY_MS): Parameters<OfferStore['send']>[2] => ({ of: 'carts', holder, ms });
  now += 8 * DAY_MS;
  t.equal(await uncapped.send('u:ann', message('d'), pause('run 1')), 'sent');
  t.equal(await uncapped.send('u:ann', message('e'), pause('run 2')), 'cooldown');
  t.equal(await uncapped.send('u:ann', message('e'), { ...pause('run 2')!, of: 'prices' }), 'sent', 'another campaign');
  now += DAY_MS;
  t.equal(await uncapped.send('u:ann', message('f'), pause('run 1')), 'sent', 'the run that has it goes on');
  now += DAY_MS;
  t.equal(await uncapped.send('u:ann', message('g'), pause('run 2')), 'sent', 'two days after the first');
  await uncapped.move('u:ann', 'u:eve');
  t.ok(await uncapped.wasSent('u:ann', 'd'), 'who was about to send it before the merge is told');
  now += 31 * DAY_MS;
  t.notOk(await uncapped.wasSent('u:ann', 'd'));
  for (const shopper of ['u:ann', 'u:eve']) await uncapped.forget(shopper);
  t.same((await redis.keys('*')).filter((key) => key.endsWith('u:ann') || key.endsWith('u:eve')), [], 'of an erased shopper nothing is left');
});
