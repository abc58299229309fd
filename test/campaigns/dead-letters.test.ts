import { randomBytes } from 'node:crypto';
import t from 'tap';
import type { DeadDelivery } from '../../src/domain/webhook.js';
import { webhookJobs, type WebhookJob } from '../../src/jobs/webhooks.js';
import { WebhookDesk } from '../../src/paths/webhook-desk.js';
import { ProfileStore } from '../../src/redis/profile-store.js';
import { WebhookStore } from '../../src/redis/webhook-store.js';
import { guardedLookup } from '../../src/webhooks/address.js';
import { WebhookSender } from '../../src/webhooks/send-webhook.js';
import { freePort, startRedis } from '../helpers/redis.js';
import { commandsTo, keys } from '../helpers/streams.js';

const server = await startRedis();
const redis = await commandsTo(server.url);
const store = new WebhookStore(redis, keys);
const sender = new WebhookSender({ allowsLoopback: true, clock: Date.now });
const strict = new WebhookSender({ allowsLoopback: false, clock: Date.now });
t.teardown(async () => {
  await Promise.all([sender.close(), strict.close()]);
  redis.disconnect();
  await server.stop();
});

const { signal } = new AbortController();
const replayed: DeadDelivery[] = [];
const desk = new WebhookDesk({ store, allowsLoopback: true, randomBytes, replay: async (_webhook, dead) => { replayed.push(dead); } });
const profiles = new ProfileStore(redis, keys, { profileTtlS: 60, streamEntriesMax: 1000 });
for (const shopper of ['u:a', 'u:erased']) await redis.set(keys.profile(shopper), 'of somebody');
const jobOf = (n: number): WebhookJob => ({ webhook: 'gone', messageId: `m${n}`, event: 'message.kept', shopper: n === 3 ? 'u:erased' : 'u:a', body: `{"n":${n}}` });

await t.test('what fails for the last time is kept, listed, forgotten with its shopper, and tried again when asked', async (t) => {
  await desk.put('gone', { url: `http://127.0.0.1:${await freePort()}/` });
  let now = 1000;
  const outcomes: string[] = [];
  const { webhook } = webhookJobs({ store, sender, profiles, clock: () => now++, onOutcome: (_webhook, outcome) => { outcomes.push(outcome); } });
  await t.rejects(webhook!(jobOf(1), signal, false), 'tried again');
  for (const n of [1, 1, 2, 3, 4]) await webhook!(jobOf(n), signal, true);
  await webhook!({ ...jobOf(6), shopper: 'u:nobody' }, signal, true);
  t.same(outcomes, ['failed', 'dead', 'dead', 'dead', 'dead', 'dead']);
  const page = await desk.dead('gone', undefined, 2);
  t.same(page.deliveries.map(({ messageId }) => messageId), ['m4', 'm3'], 'the latest first');
  t.match(page.deliveries[0], { error: /ECONNREFUSED/u, body: '{"n":4}' });
  t.same((await desk.dead('gone', page.cursor, 5)).deliveries.map(({ messageId }) => messageId), ['m2', 'm1'], 'each once');
  for (const n of [2, 3]) await store.bury('gone', { ...page.deliveries[0]!, messageId: `m${n}` });
  const pages: string[] = [];
  let cursor: string | undefined;
  do {
    const { deliveries, cursor: next } = await desk.dead('gone', cursor, 1);
    pages.push(...deliveries.map(({ messageId }) => messageId));
    cursor = next;
  } while (cursor !== undefined);
  t.same(pages, ['m4', 'm3', 'm2', 'm1'], 'none is passed over that died at the same moment');
  for (const [n, at] of [[2, 1], [3, 2]] as const) await store.bury('gone', { ...page.deliveries[0]!, messageId: `m${n}`, shopper: n === 3 ? 'u:erased' : 'u:a', at });
  await store.forget('u:erased');
  t.equal(await desk.replay('gone', 'm2'), 1);
  t.equal(await desk.replay('gone'), 2);
  t.same(replayed.map(({ messageId }) => messageId), ['m2', 'm4', 'm1']);
  t.same((await desk.dead('gone', undefined, 5)).deliveries, []);
  await t.rejects(desk.replay('gone', 'm2'), { code: 'not_found' });
  await t.rejects(desk.dead('unheard_of', undefined, 5), { code: 'not_found' });
});

await t.test('of a webhook that was deleted nothing is sent any more', async (t) => {
  await desk.remove('gone');
  const { webhook } = webhookJobs({ store, sender, profiles, clock: Date.now, onOutcome: () => { t.fail('nothing'); } });
  await webhook!(jobOf(5), signal, true);
  await t.rejects(desk.remove('gone'), { code: 'not_found' });
});

await t.test('a name is looked up when a connection is made, and leads to no private address', async (t) => {
  const call = { messageId: 'm', body: '{}' };
  const secret = `whsec_${Buffer.alloc(32).toString('base64')}`;
  const addressOf = (allowsLoopback: boolean, all: boolean): Promise<unknown> => new Promise((resolve, reject) => {
    guardedLookup(allowsLoopback)('localhost', { all }, (error, address) => {
      if (error === null) resolve(address);
      else reject(error);
    });
  });
  await t.rejects(addressOf(false, true), /where webhooks do not go/u);
  await t.rejects(addressOf(false, false), /where webhooks do not go/u);
  t.match(await addressOf(true, true), [{ address: /^127\.|^::1$/u }]);
  t.match(await addressOf(true, false), /^127\.|^::1$/u);
  await t.rejects(strict.send({ url: 'https://127.0.0.1/', secret }, call, signal), { code: 'invalid_request' });
});
