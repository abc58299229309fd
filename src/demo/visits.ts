import type { Context } from '../domain/event.js';
import { SCENES, type Scene } from '../domain/scene.js';
import { hash32 } from '../util/hash.js';
import { gaussian, seededRandom } from '../util/random.js';
import type { DemoRecord } from './records.js';
import { TimeHeap } from './time-heap.js';
import type { Shopper } from './shoppers.js';
import { REGIONS } from './taxonomy.js';
import { Visit, type Memory } from './visit.js';
import type { World } from './world.js';

export type { DemoRecord, EventRecord, ImpressionRecord } from './records.js';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

interface VisitsOptions {
  readonly seed: number;
  readonly world: World;
  readonly shoppers: readonly Shopper[];
  /** Span of the records, [from, to), ms. */
  readonly from: number;
  readonly to: number;
}

/** In the heap: a shopper about to come, or a visit under way with the record that is next. */
interface Entry {
  readonly shopper: Shopper;
  readonly memory: Memory;
  readonly records?: readonly DemoRecord[];
  readonly next: number;
}

/**
 * All shoppers' visits as one stream in time order: events as the engine takes them in, and with them the lists that
 * were shown. Pure and repeatable: the same options give the same records and event ids. Memory is bounded by the number
 * of shoppers: a visit is played when it starts and forgotten when its last record is out.
 *
 * What there is to learn (see `utility` in taste.ts): a lasting taste for categories, brands, styles and price; what this
 * visit is about; categories that go together; popularity by Zipf's law; freshness; and consumables bought again.
 */
export function* visits({ seed, world, shoppers, from, to }: VisitsOptions): Generator<DemoRecord, void, undefined> {
  const contexts = new Map(REGIONS.map((region) => [region, contextsOf(region)]));
  const heap = new TimeHeap<Entry>();
  const expect = (shopper: Shopper, memory: Memory, at: number): void => {
    if (at < shopper.activeTo && at < to) heap.push(at, { shopper, memory, next: 0 });
  };
  for (const shopper of shoppers) {
    const memory: Memory = { random: seededRandom(hash32(`visits:${seed}:${shopper.index}`)), made: 0, cart: [], owned: [], pending: [] };
    expect(shopper, memory, firstVisit(shopper, memory, Math.max(from, shopper.activeFrom)));
  }
  for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
    const { shopper, memory, records, next } = top.value;
    if (records === undefined) {
      const idPrefix = `d${seed.toString(36)}.${shopper.index.toString(36)}.`;
      const visit = new Visit(world, shopper, memory, idPrefix, contexts.get(shopper.region)!, top.at);
      const endedAt = visit.play();
      heap.push(top.at, { shopper, memory, records: visit.records, next: 0 });
      expect(shopper, memory, nextVisit(shopper, memory, endedAt));
      continue;
    }
    const record = records[next]!;
    if (record.at >= to) continue;
    yield record;
    const following = records[next + 1];
    if (following !== undefined) heap.push(following.at, { shopper, memory, records, next: next + 1 });
  }
}

/** A newcomer comes at once, the others in the course of their usual pause. */
const firstVisit = (shopper: Shopper, memory: Memory, from: number): number =>
  shopper.lifecycle === 'new' ? Math.ceil(from) : nextVisit(shopper, memory, from);

/** When a shopper comes again: after an exponential pause, at about the usual hour. */
function nextVisit(shopper: Shopper, { random }: Memory, after: number): number {
  const at = after - (Math.log(1 - random()) / shopper.visitsPerDay) * DAY_MS;
  const hour = shopper.hour + 1.5 * gaussian(random);
  const habitual = Math.floor(at / DAY_MS) * DAY_MS + hour * HOUR_MS;
  return Math.ceil(habitual > after + HOUR_MS ? habitual : at + HOUR_MS);
}

/** One frozen context a scene and region, shared by all events. */
function contextsOf(region: string): ReadonlyMap<Scene, Context> {
  return new Map(SCENES.map((scene) => [scene, Object.freeze({ region, scene })]));
}
