import { reserveOf, type Offer } from '../domain/offer.js';

/** An ended claim is forgotten after this, ms; until then it can be read, and a redeemed one refunded. */
export const CLAIM_KEPT_MS = 90 * 86_400_000;
const DEFAULT_TTL_S = 86_400;
const KINDS = { plain: 0, group: 1, share: 2 } as const;

/** @returns the most claims that may be out: the budget's count, and of a flash sale the stock */
export const countMaxOf = ({ budget, terms }: Pick<Offer, 'budget' | 'terms'>): number =>
  terms.kind === 'flash_sale' ? Math.min(budget.count, terms.stock) : budget.count;

/** @returns how long a claim stands, ms */
export const ttlMsOf = ({ claimTtlS }: Pick<Offer, 'claimTtlS'>): number => (claimTtlS ?? DEFAULT_TTL_S) * 1000;

/**
 * What the claim script checks, as one value: 16 little-endian doubles, in the order in which `claim-record.lua` and
 * `claim-offer.lua` read them. One field to look up instead of sixteen.
 */
export function packLimits(offer: Offer): Buffer {
  const { terms, window, budget, caps } = offer;
  const isGroup = terms.kind === 'group_buy';
  const isShare = terms.kind === 'share_reward';
  return Buffer.from(new Float64Array([
    offer.status === 'active' ? 1 : 0, window.startsAt, window.endsAt, budget.moneyMinor, countMaxOf(offer),
    caps?.perUser ?? 1, caps?.perDevice ?? 0, isShare ? terms.sharerMinor : reserveOf(terms), ttlMsOf(offer),
    isGroup ? KINDS.group : isShare ? KINDS.share : KINDS.plain,
    isGroup ? terms.size : 0, isGroup ? terms.withinS * 1000 : 0,
    isShare ? terms.friendMinor : 0, isShare ? terms.refundableS * 1000 : 0,
    offer.refundReturnsBudget === false ? 0 : 1, CLAIM_KEPT_MS,
  ]).buffer);
}
