import { join } from 'node:path';
import t from 'tap';
import { listSlots } from '../../src/archive/files.js';
import { differentColumns } from '../../src/learn/skew/measure-skew.js';
import { rebuildImpressions } from '../../src/learn/skew/rebuild.js';
import { USER_FEATURES } from '../../src/profile/vector.js';
import { ITEM_FEATURES } from '../../src/ranking/features.js';
import { SHOWN_FLOATS } from '../../src/redis/impression-log.js';
import { groupLag } from '../../src/jobs/streams.js';
import { makeKeys, PARTITIONS } from '../../src/redis/keys.js';
import { pause } from '../../src/util/pause.js';
import { seededRandom } from '../../src/util/random.js';
import { PATIENT, startEngine, type Engine } from '../helpers/engine.js';
import { randomVectors, writeTestEncoder } from '../helpers/encoders.js';
import { writeTestModel } from '../helpers/models.js';
import { commandsTo, until } from '../helpers/streams.js';
import { post } from '../helpers/traffic.js';

const SHOPPERS = 60;
const ROUNDS = 5;
/** Impressions a round: each shopper asks this often, for another page each time. */
const ASKS = 5;
const ITEMS = 400;
const SCENES = ['home', 'product', 'cart', 'search', 'feed', 'post_purchase'] as const;
const TYPES = ['view_item', 'view_item', 'select_item', 'add_to_cart', 'add_to_wishlist', 'purchase', 'like', 'dismiss', 'remove_from_cart'] as const;

const random = seededRandom(4);
const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
const idOf = (n: number): string => `sku-${n}`;

/** Popular items are taken more often, so that items have neighbours. */
const anItem = (): string => idOf(Math.floor(random() ** 2 * ITEMS));

function item(n: number, price: number) {
  return {
    id: idOf(n), title: `Item ${n}`, category: [`root-${n % 4}`, `root-${n % 4}/leaf-${n % 20}`], brand: `brand-${n % 15}`, price, currency: 'EUR',
    tags: [`t${n % 9}`, `t${n % 5}`], ...(n % 3 === 0 ? { publishedAt: new Date(Date.now() - (n % 40) * 86_400_000).toISOString() } : {}),
  };
}

/** As clients do, it comes again when the engine is behind: a busy machine stands still for seconds. @throws Error when it is not taken in full */
async function send(engine: Engine, path: string, body: unknown): Promise<Record<string, unknown>> {
  let response = await post(`${engine.url}/v1/${path}`, body);
  for (let tries = 1; response.status === 503 && tries < 20; tries++) {
    await pause(500);
    response = await post(`${engine.url}/v1/${path}`, body);
  }
  const reply = await response.json() as Record<string, unknown>;
  if (!response.ok || reply['degraded'] !== undefined) throw new Error(`${path}: ${response.status} ${JSON.stringify(reply)}`);
  return reply;
}

/**
 * Waits until the engine ranks by all changes sent so far, told by an item that comes last: an event folded before that may
 * still see its item as it was.
 */
async function followed(engine: Engine, round: number): Promise<void> {
  const id = `last-of-${round}`;
  await send(engine, 'items', { items: [{ ...item(0, 5), id }] });
  await until(`the changes of round ${round} are followed`, async () => {
    const { items } = await send(engine, 'recommendations', { userId: 'onlooker', scene: 'search', itemIds: [id] });
    return (items as unknown[]).length > 0;
  }, 30_000);
}

let events = 0;
const event = () => ({ id: `e${events++}`, type: pick(TYPES), itemId: anItem(), ...(random() < 0.3 ? { value: 10 + Math.floor(random() * 90), currency: 'EUR' } : {}), ...(random() < 0.3 ? { context: { region: pick(['EU', 'US']), scene: 'home' } } : {}) });

/** One request as a page makes it: with its own events, or without; one list or several; some with a filter or a choice of items. */
async function ask(engine: Engine, who: object): Promise<void> {
  const scene = pick(SCENES);
  const page = { ...who, ...(random() < 0.5 ? { events: [event()] } : {}), ...(random() < 0.3 ? { context: { region: 'EU' } } : {}) };
  const list = { scene, limit: 1 + Math.floor(random() * 20), ...(scene === 'product' ? { itemId: anItem() } : {}) };
  const kind = random();
  if (kind < 0.1) await send(engine, 'recommendations/batch', { ...page, lists: [list, { scene: 'feed', limit: 4 }] });
  else if (kind < 0.2) await send(engine, 'recommendations', { ...page, ...list, itemIds: Array.from({ length: 8 }, anItem) });
  else if (kind < 0.3) await send(engine, 'recommendations', { ...page, ...list, filter: { priceMax: 60 } });
  else await send(engine, 'recommendations', { ...page, ...list });
}

const TOLD = (['neighbors', 'similar', 'encoder', 'popularity'] as const).map((name) => ITEM_FEATURES.indexOf(name));

await t.test('vectors rebuilt from the archive are those that were served, bit for bit', async (t) => {
  const items = Array.from({ length: ITEMS }, (_, n) => item(n, 5 + (n * 37) % 200));
  const modelDir = t.testdir();
  await writeTestModel(modelDir, { name: 'all-features' });
  // Some items, and all that come later, it knows by their attributes only.
  await writeTestEncoder(modelDir, { vectors: randomVectors(items.slice(0, ITEMS - 50), 16, true) });
  const engine = await startEngine({ role: 'both', env: {
    MODEL_DIR: modelDir, STATISTICS_EVERY_S: '3600', TRENDING_EVERY_MS: '300', ...PATIENT,
  } });
  t.teardown(() => engine.stop());
  const redis = await commandsTo(engine.redis.url);
  t.teardown(() => { redis.disconnect(); });
  const keys = makeKeys('rivulet:');
  const archive = join(engine.redis.dir, 'data', 'archive');
  await until('the worker archives the catalog', async () => (await listSlots(archive, 'catalog')).length > 0, 30_000);
  await send(engine, 'items', { items });

  for (let round = 0; round < ROUNDS; round++) {
    if (round > 0) {
      await send(engine, 'items', { items: Array.from({ length: 30 }, (_, i) => item(round * 30 + i + (round === 2 ? ITEMS : 0), 3 + ((i * round) % 90))) });
      await fetch(`${engine.url}/v1/items/${idOf(round)}`, { method: 'DELETE' });
    }
    await followed(engine, round);
    await Promise.all(Array.from({ length: SHOPPERS }, async (_, n) => {
      const who = n % 6 === 0 && round < 3 ? { anonymousId: `visitor-${n}` } : { userId: `user-${n}` };
      for (let i = 0; i < ASKS; i++) {
        await send(engine, 'events', { events: [{ ...event(), ...who }, { ...event(), ...who }] });
        await ask(engine, who);
      }
      if (n % 6 === 0 && round === 2) await send(engine, `users/user-${n}/alias`, { anonymousId: `visitor-${n}` });
    }));
  }

  const impressions = Array.from({ length: PARTITIONS }, (_, i) => keys.impressions(i));
  const streams = Array.from({ length: PARTITIONS }, (_, i) => keys.events(i));
  await until('all is archived', async () => (await groupLag(redis, impressions, 'archive')) + (await groupLag(redis, streams, 'archive')) === 0, 20_000);

  const missing = new Map<string, number>();
  const versions = new Set<string>();
  const wrong: string[] = [];
  let rebuilt = 0;
  let informed = 0;
  for await (const result of rebuildImpressions(archive, { folderOf: async () => modelDir })) {
    if ('missing' in result) {
      missing.set(result.missing, (missing.get(result.missing) ?? 0) + 1);
      continue;
    }
    rebuilt += 1;
    versions.add(result.impression.world!.statistics);
    if (TOLD.every((column) => result.vectors[USER_FEATURES.length + SHOWN_FLOATS - ITEM_FEATURES.length + column] !== 0)) informed += 1;
    const columns = differentColumns(result.vectors, result.impression.vectors);
    if (columns.length > 0) wrong.push(`${result.impression.scene} ${JSON.stringify(result.impression.world)}: ${columns.join()}`);
  }
  // The engine says of some that no replay can tell: what they were ranked by was bound while the catalog changed.
  t.same([...missing].filter(([what]) => what !== 'log'), [], `nothing is missing (${missing.get('log') ?? 0} unnamed)`);
  t.ok(rebuilt >= 1000, `${rebuilt} impressions were rebuilt`);
  t.ok(informed > rebuilt / 3, `in ${informed} of them the first item has a say by neighbours, likeness and encoder`);
  t.ok(versions.size >= 2, `by ${versions.size} versions of the statistics`);
  t.same(wrong.slice(0, 5), [], `${wrong.length} of ${rebuilt} differ`);
});
