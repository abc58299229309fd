import { ArchiveWriter } from '../../src/archive/writer.js';
import type { ShopperEvent } from '../../src/domain/event.js';
import { USER_FEATURES } from '../../src/profile/vector.js';
import { ITEM_FEATURES } from '../../src/ranking/features.js';
import { SHOWN_FLOATS } from '../../src/redis/impression-log.js';
import { gaussian, seededRandom } from '../../src/util/random.js';

const HOUR_MS = 3_600_000;

export interface ArchivedTraffic {
  readonly from: number;
  readonly hours: number;
  readonly listsPerHour: number;
  readonly shoppers: number;
  readonly items: number;
  /** Which feature says what is wanted. */
  readonly telling?: string;
  /** Whether the shopper takes something of every list, all of it, or nothing. */
  readonly takes?: 'best' | 'all' | 'nothing';
  /** Changes a vector before it is written. */
  readonly spoil?: (vectors: Float32Array) => void;
  /** Events beside those of the lists, an hour. */
  readonly otherEvents?: number;
}

/** Writes an archive of lists of ten, in which the telling feature, plus noise, says what is clicked. */
export async function archiveTraffic(dir: string, traffic: ArchivedTraffic): Promise<void> {
  const random = seededRandom(11);
  const column = ITEM_FEATURES.findIndex((name) => name === (traffic.telling ?? 'related'));
  let n = 0;
  for (let hour = 0; hour < traffic.hours; hour++) {
    const start = traffic.from + hour * HOUR_MS;
    const writer = new ArchiveWriter(dir, `test-${hour}`, () => start);
    const events: string[] = [];
    const impressions: string[] = [];
    const event = (fields: Pick<ShopperEvent, 'shopper' | 'itemId' | 'type' | 'at'>): void => {
      events.push(JSON.stringify({ entry: `${fields.at}-${n}`, event: { id: `e${n++}`, ...fields } }));
    };
    for (let list = 0; list < traffic.listsPerHour; list++) {
      const at = start + list * 10_000;
      const shopper = `u:${Math.floor(random() * traffic.shoppers)}`;
      const items = Array.from({ length: Math.min(10, traffic.items) }, (_, i) => `i${(n * 7 + i) % traffic.items}`);
      const vectors = new Float32Array(USER_FEATURES.length + items.length * SHOWN_FLOATS);
      for (let i = 0; i < vectors.length; i++) vectors[i] = gaussian(random);
      const utility = items.map((_, i) => vectors[USER_FEATURES.length + i * SHOWN_FLOATS + 2 + column]! + 0.3 * gaussian(random));
      traffic.spoil?.(vectors);
      impressions.push(JSON.stringify({
        entry: `${at}-${n}`,
        impression: { requestId: `r${n++}`, shopper, scene: 'home', model: 'test@1', at, items, sources: items.map(() => 0) },
        vectors: Buffer.from(vectors.buffer).toString('base64'),
      }));
      items.forEach((itemId, i) => {
        const taken = traffic.takes === 'all' || (traffic.takes !== 'nothing' && utility[i] === Math.max(...utility));
        if (taken) event({ shopper, itemId, type: 'select_item', at: at + 1000 + i });
      });
    }
    for (let i = 0; i < (traffic.otherEvents ?? 0); i++) event({ shopper: `u:${i % traffic.shoppers}`, itemId: `i${i % traffic.items}`, type: 'view_item', at: start + i });
    await writer.append('impressions', impressions);
    await writer.append('events', events);
    await writer.close();
  }
}
