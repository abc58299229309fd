/**
 * Life of a claim: `held` (a member of a group that is not full, a share that nobody has bought by yet) → `claimed` → `redeemed` → `refunded`; or
 * `released` (given back, or its group failed) or `expired` (by the sweep) out of `held` and `claimed`.
 */
export const CLAIM_STATUSES = ['held', 'claimed', 'redeemed', 'released', 'expired', 'refunded'] as const;
export type ClaimStatus = (typeof CLAIM_STATUSES)[number];

/** What a shopper holds of an offer. Amounts are integer minor units, times ms. */
export interface Claim {
  readonly id: string;
  readonly offerId: string;
  /** `u:<userId>` or `a:<anonymousId>`. */
  readonly shopper: string;
  /** What is presented at the till: unguessable. */
  readonly code: string;
  readonly status: ClaimStatus;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Of the budget, until it is redeemed … */
  readonly reservedMinor: number;
  /** … and then what it came to. */
  readonly spentMinor?: number;
  /** The group it belongs to. */
  readonly groupId?: string;
}
