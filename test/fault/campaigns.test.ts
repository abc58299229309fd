import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { CampaignInput } from '../../src/domain/campaign.js';
import type { OfferMessage } from '../../src/domain/offer-message.js';
import { CampaignStore } from '../../src/redis/campaign-store.js';
import { PARTITIONS } from '../../src/redis/keys.js';
import { WebhookStore } from '../../src/redis/webhook-store.js';
import { seededRandom } from '../../src/util/random.js';
import { startCampaignWorker } from '../helpers/campaigns.js';
import { LiveClient } from '../helpers/live-client.js';
import { ITEMS, KEYS, startLive, type LiveServer } from '../helpers/live.js';
import { startRedis, type TestRedis } from '../helpers/redis.js';
import { until } from '../helpers/until.js';

/**
 * Effects of campaigns, each exactly once: with workers killed at any command, and with Redis away for a while.
 * CAMPAIGN_KILLS and OUTAGE_MS make it longer, CAMPAIGN_SEED another one.
 */
const KILLS = Number(process.env['CAMPAIGN_KILLS'] ?? 4);
const OUTAGE_MS = Number(process.env['OUTAGE_MS'] ?? 3000);
const SEED = Number(process.env['CAMPAIGN_SEED'] ?? 1);
/** Commands within which a worker is killed: about as many as a round's work takes. */
const COMMANDS = 400;
const SHOPPERS_PER_ROUND = 4;

const COURSE: CampaignInput = {
  title: 'Two words after a look', trigger: { on: 'event', types: ['view_item'] },
  steps: [{ afterS: 0, message: { title: 'First' } }, { afterS: 1, message: { title: 'Second' } }],
};
const EXPECTED = ['cart_abandoned', 'course', 'course', 'entered'] as const;
const ENTERED: CampaignInput = { title: 'A segment', trigger: { on: 'segment', segments: ['dormant'] }, steps: [{ afterS: 0, message: { title: 'Back again?' } }] };

interface Stage {
  readonly redis: TestRedis;
  readonly server: LiveServer;
  /** Message id → how often the endpoint was handed it. */
  readonly handed: Map<string, number>;
  readonly clients: Map<string, LiveClient>;
  /** Somebody new looks at an item, puts another into the cart and counts as dormant. */
  readonly act: () => Promise<void>;
  /** Fails unless everybody's messages have been pushed, kept and handed over once. */
  readonly check: (t: Test) => Promise<void>;
}

async function stage(t: Test): Promise<Stage> {
  const redis = await startRedis({ appendOnly: true, appendFsync: 'always' });
  const server = await startLive(redis.url, { items: ITEMS });
  const handed = new Map<string, number>();
  const endpoint = createServer((request, response) => {
    const id = String(request.headers['webhook-id']);
    handed.set(id, (handed.get(id) ?? 0) + 1);
    request.resume().on('end', () => response.end());
  }).listen(0, '127.0.0.1');
  await once(endpoint, 'listening');
  const clients = new Map<string, LiveClient>();
  t.teardown(async () => {
    for (const client of clients.values()) client.socket.terminate();
    await server.close();
    endpoint.close();
    await redis.stop();
  });
  const store = new CampaignStore(server.redis, KEYS);
  await store.put({ ...COURSE, id: 'course', status: 'active' });
  await store.put({ ...ENTERED, id: 'entered', status: 'active' });
  await new WebhookStore(server.redis, KEYS).put({
    id: 'mail', url: `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/`, events: ['message.pushed', 'message.kept'], secret: `whsec_${Buffer.alloc(32, 1).toString('base64')}`,
  });
  const shoppers: string[] = [];
  return {
    redis, server, handed, clients,
    async act() {
      const userId = `s${shoppers.length}`;
      shoppers.push(userId);
      if (shoppers.length % 2 === 0) {
        const client = await LiveClient.open(server.url, { userId });
        await client.listen();
        clients.set(userId, client);
      }
      await server.ingestor.ingest([{ id: randomUUID(), userId, type: 'view_item', itemId: 'i1' }, { id: randomUUID(), userId, type: 'add_to_cart', itemId: 'i2' }]);
      const change = { type: 'enter', segment: 'dormant', shopper: `u:${userId}`, at: Date.now(), cause: 'time' };
      await server.redis.xadd(KEYS.segmentChanges(shoppers.length % PARTITIONS), '*', 'c', JSON.stringify(change));
    },
    async check(t) {
      const total = shoppers.length * EXPECTED.length;
      await until(async () => (await deliveries(server)).length >= total && handed.size >= total, `${total} messages`, 120_000);
      await pause(1500);
      const sent = await deliveries(server);
      t.equal(sent.length, total, 'as many messages as there should be');
      t.equal(new Set(sent.map(({ message }) => message.id)).size, total, 'each once');
      for (const userId of shoppers) {
        const causes = sent.filter(({ shopper }) => shopper === `u:${userId}`).map(({ message }) => message.cause).toSorted();
        if (causes.join() !== EXPECTED.join()) t.same(causes, EXPECTED, userId);
        const inbox = await server.offers.inbox(`u:${userId}`, Date.now());
        if (inbox.length !== EXPECTED.length) t.equal(inbox.length, EXPECTED.length, `inbox of ${userId}`);
      }
      t.same([...handed.keys()].toSorted(), sent.map(({ message }) => message.id).toSorted(), 'each handed over, and nothing else');
      t.comment(`${total} messages; ${[...handed.values()].reduce((sum, count) => sum + count) - total} handed over again under the same id`);
    },
  };
}

async function deliveries(server: LiveServer): Promise<{ shopper: string; message: OfferMessage }[]> {
  const streams = await Promise.all(Array.from({ length: PARTITIONS }, (_, index) => server.redis.xrange(KEYS.deliveries(index), '-', '+')));
  return streams.flat().map(([, [, shopper, , json]]) => ({ shopper: shopper!, message: JSON.parse(json!) as OfferMessage }));
}

const CHILD = fileURLToPath(new URL('../helpers/campaign-child.js', import.meta.url));

/** Lets a worker begin. */
async function begun(child: ChildProcess): Promise<ChildProcess> {
  child.send('begin');
  await once(child, 'message');
  return child;
}

t.jobs = 2;
const perKillMs = 10_000;
await Promise.all([
  t.test(`workers killed at ${KILLS} commands`, { timeout: 180_000 + KILLS * perKillMs }, async (t) => {
    const { redis, act, check, clients } = await stage(t);
    const random = seededRandom(SEED);
    const pointOfDeath = (): string => String(1 + Math.floor(random() * COMMANDS));
    // Each is loaded while the one before it works.
    let next = fork(CHILD, [redis.url, pointOfDeath()], { execArgv: [] });
    let killed = 0;
    for (let round = 0; round < KILLS; round++) {
      const child = await begun(next);
      next = fork(CHILD, [redis.url, round + 1 < KILLS ? pointOfDeath() : '0'], { execArgv: [] });
      const gone = once(child, 'exit');
      for (let n = 0; n < SHOPPERS_PER_ROUND; n++) await act();
      await Promise.race([gone, pause(2500, undefined, { ref: false })]);
      if (child.signalCode === 'SIGKILL') killed += 1;
      else child.kill('SIGKILL');
      await gone;
    }
    const last = await begun(next);
    t.teardown(() => last.kill('SIGKILL'));
    await check(t);
    t.comment(`${killed} of ${KILLS} workers were killed at their command, the others when they had nothing left to do`);
    for (const [userId, client] of clients) {
      const ids = client.frames.filter(({ type }) => type === 'offer').map(({ offer }) => offer?.id);
      if (ids.length !== EXPECTED.length || new Set(ids).size !== ids.length) t.same(ids.length, EXPECTED.length, `frames of ${userId}`);
    }
  }),
  t.test(`Redis away for ${OUTAGE_MS} ms`, { timeout: 180_000 + OUTAGE_MS }, async (t) => {
    const { redis, server, act, check } = await stage(t);
    const worker = await startCampaignWorker(redis.url, { afterMs: 300, cooldownMs: 0, isHasty: true });
    t.teardown(() => worker.stop());
    for (let n = 0; n < SHOPPERS_PER_ROUND; n++) await act();
    await redis.kill('SIGTERM');
    await pause(OUTAGE_MS);
    await redis.restart();
    const backAt = Date.now();
    await until(() => server.redis.status === 'ready', 'Redis to be back');
    for (let n = 0; n < SHOPPERS_PER_ROUND; n++) await act();
    await check(t);
    t.comment(`all there ${Date.now() - backAt} ms after it was back`);
  }),
]);
