import type { RiskLedger } from '../paths/risk-ledger.js';
import type { ShareWatch } from '../paths/share-watch.js';
import { isShopperRecord, type EventEntry, type StreamHandler } from './streams.js';

export const RISK_KEEPER_LIMITS = {
  /** Shoppers looked at at once. */
  atOnce: 64,
} as const;

export interface RiskKeeperDeps {
  readonly ledger: Pick<RiskLedger, 'look' | 'merge' | 'erase'>;
  readonly shares: Pick<ShareWatch, 'onMerge'>;
  /** Takes back what a flagged shopper holds of rewards that are not paid out yet; may be repeated. */
  readonly releaseShares: (shopper: string) => Promise<void>;
}

/** Behind the event stream: looks at whoever did something, once a batch, as they are now. */
export class RiskKeeper implements StreamHandler {
  readonly name = 'risk';
  readonly attemptsMax = 10;

  constructor(private readonly deps: RiskKeeperDeps) {}

  async handle(entries: readonly EventEntry[]): Promise<void> {
    const { ledger, shares, releaseShares } = this.deps;
    const active = new Set<string>();
    for (const { record } of entries) {
      if (!isShopperRecord(record)) active.add(record.shopper);
      else if (record.type === 'alias') {
        await shares.onMerge(record.shopper, record.from);
        await ledger.merge(record.shopper, record.from);
        active.delete(record.from);
        active.add(record.shopper);
      } else if (record.type === 'erase') {
        active.delete(record.shopper);
        await ledger.erase(record.shopper, record.at);
      } else if (record.type === 'risk' && record.flagged) await releaseShares(record.shopper);
    }
    const shoppers = [...active];
    const { atOnce } = RISK_KEEPER_LIMITS;
    for (let from = 0; from < shoppers.length; from += atOnce) await Promise.all(shoppers.slice(from, from + atOnce).map((shopper) => ledger.look(shopper)));
  }
}
