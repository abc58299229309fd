import { Type, type Static } from '../util/type.js';
import { form } from './form.js';

/** Limits of what a claim is asked for with. */
export const CLAIM_LIMITS = { idCharsMax: 256, deviceCharsMax: 256 } as const;

/** No control characters: scripts part fields by them. */
const plain = (maxLength: number) => form('^[^\\u0000-\\u001f]+$', 'text without control characters', { minLength: 1, maxLength });
/** `<offer>.<32 hexadecimal digits>` */
export const ClaimIdSchema = form('^[A-Za-z0-9_-]{1,64}\\.[0-9a-f]{32}$', 'the id of a claim: <offer>.<32 hexadecimal digits>');

/** Who claims an offer, and what of it. */
export const ClaimInputSchema = Type.Object({
  userId: Type.Optional(plain(CLAIM_LIMITS.idCharsMax)),
  anonymousId: Type.Optional(plain(CLAIM_LIMITS.idCharsMax)),
  deviceId: Type.Optional(plain(CLAIM_LIMITS.deviceCharsMax)),
  /** Group buy: the group to join; absent: opens one. */
  groupId: Type.Optional(ClaimIdSchema),
  /** Share reward: by whose share the friend came; absent: shares. */
  shareCode: Type.Optional(ClaimIdSchema),
}, { additionalProperties: false });
export type ClaimInput = Static<typeof ClaimInputSchema>;

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
  /** The group it belongs to: the claim that opened it. */
  readonly groupId?: string;
  /** Of a sharer: what a friend's claim names; the claim itself. */
  readonly shareCode?: string;
  /** Of a friend: the share they came by. */
  readonly sharedBy?: string;
}
