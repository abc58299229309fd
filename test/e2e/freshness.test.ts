import t from 'tap';
import { EVENT_TYPES, type EventType } from '../../src/domain/event.js';
import { seededRandom } from '../../src/util/random.js';
import { PATIENT, startEngine } from '../helpers/engine.js';

/** The short form; `FRESHNESS_TRIES=10000 npm test freshness` is the measurement. */
const TRIES = Number(process.env['FRESHNESS_TRIES'] ?? 2000);
const LANES = 12;
/** Event types with a decayed counter among the shopper's features. */
const COUNTED: readonly EventType[] = EVENT_TYPES.filter((type) => ['view_item', 'select_item', 'search', 'add_to_cart', 'share', 'like'].includes(type));

interface Explained {
  readonly degraded?: readonly string[];
  readonly explain: { readonly profileEvents: number; readonly userFeatures: Readonly<Record<string, number>> };
}

async function post(url: string, path: string, body: unknown): Promise<unknown> {
  const reply = await fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`);
  return reply.json();
}

await t.test(`an acknowledged event is in the next recommendation's features, ${TRIES} times over two processes`, { timeout: 390_000 }, async (t) => {
  const first = await startEngine({ env: PATIENT });
  t.teardown(() => first.stop());
  const second = await startEngine({ redis: first.redis, env: PATIENT });
  t.teardown(() => second.stop());
  const urls = [first.url, second.url] as const;
  await post(first.url, '/v1/items', { items: Array.from({ length: 50 }, (_, i) => ({ id: `i${i}`, title: `Item ${i}`, category: ['things'], price: 1 + i })) });

  let tries = 0;
  const missed: string[] = [];
  /** A lane has shoppers of its own, so it knows what must be there; lanes and processes interleave. */
  const lane = async (index: number): Promise<void> => {
    const random = seededRandom(index);
    const counts = new Map<string, Map<EventType, number>>();
    while (tries < TRIES) {
      const number = tries++;
      const userId = `s${index}-${Math.floor(random() * 20)}`;
      const type = COUNTED[Math.floor(random() * COUNTED.length)]!;
      const known = counts.get(userId) ?? new Map<EventType, number>();
      counts.set(userId, known.set(type, (known.get(type) ?? 0) + 1));
      const [writer, reader] = random() < 0.5 ? urls : urls.toReversed() as [string, string];
      const ack = await post(writer, '/v1/events', { events: [{ id: `e${number}`, type, userId, itemId: `i${Math.floor(random() * 50)}` }] }) as { accepted: number };
      const { degraded, explain: { profileEvents, userFeatures } } = await post(reader, '/v1/recommendations', { userId, scene: 'home', limit: 1, explain: true }) as Explained;
      const total = [...known.values()].reduce((sum, count) => sum + count, 0);
      // The counters of 90 days have lost next to nothing since the first try.
      const isThere = ack.accepted === 1 && profileEvents === total && Math.abs(userFeatures['events']! - Math.log1p(total)) < 1e-4
        && Math.abs(Math.expm1(userFeatures[`${type}_90d`]!) - known.get(type)!) < 0.01
        && degraded?.some((rung) => rung === 'stale_features' || rung === 'no_features') !== true;
      if (!isThere) missed.push(`try ${number}: ${type} of ${userId}: ${profileEvents} of ${total} events, ${degraded?.join(' ') ?? 'not degraded'}`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)));
  t.same(missed.slice(0, 10), [], `${TRIES} of ${TRIES} tries`);
  t.equal(tries, TRIES);
});
