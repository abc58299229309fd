import type { Merit } from '../growth/fold.js';
import type { GrowthLedger } from '../paths/growth-ledger.js';
import { isShopperRecord, type EventEntry, type StreamHandler } from './streams.js';

/** Behind the event stream: gives points for what shoppers do. A shopper's events of a batch are one write; repeated, they count nothing. */
export class GrowthKeeper implements StreamHandler {
  readonly name = 'growth';
  readonly attemptsMax = 10;

  constructor(private readonly ledger: Pick<GrowthLedger, 'apply' | 'merge' | 'erase'>) {}

  async handle(entries: readonly EventEntry[]): Promise<void> {
    const merits = new Map<string, Merit[]>();
    const flush = async (shoppers: readonly string[]): Promise<void> => {
      await Promise.all(shoppers.map((shopper) => this.#apply(shopper, merits)));
    };
    for (const { record } of entries) {
      if (record.type === 'alias') {
        // In the order of the stream: what came before it is theirs who it was.
        await flush([record.shopper, record.from]);
        await this.ledger.merge(record.shopper, record.from, record.id);
      } else if (record.type === 'erase') {
        merits.delete(record.shopper);
        await this.ledger.erase(record.shopper, record.at);
      } else if (!isShopperRecord(record)) {
        const { id, type, at, itemId, valueMinor } = record;
        const known = merits.get(record.shopper) ?? [];
        known.push({ id, on: type, at, itemId, valueMinor });
        merits.set(record.shopper, known);
      }
    }
    await flush([...merits.keys()]);
  }

  async #apply(shopper: string, waiting: Map<string, Merit[]>): Promise<void> {
    const merits = waiting.get(shopper);
    if (merits === undefined) return;
    waiting.delete(shopper);
    await this.ledger.apply(shopper, merits);
  }
}
