import type { ShopperEvent } from './event.js';

/** What a partition's stream carries beside events: things that happened to a shopper as such. */
export type ShopperRecord =
  /** All that was and will be known of the anonymous shopper `from` belongs to `shopper`. */
  | {
    readonly type: 'alias'; readonly id: string; readonly shopper: string; readonly from: string; readonly at: number;
    /** `from` never sent an event: whoever they are now may still be a newcomer. */
    readonly isSilent?: true;
  }
  /** The shopper is to be forgotten: everything before this. */
  | { readonly type: 'erase'; readonly id: string; readonly shopper: string; readonly at: number }
  /** The shopper looks like abuse, or no longer does: while they do, nothing is learnt or counted of them. */
  | { readonly type: 'risk'; readonly id: string; readonly shopper: string; readonly flagged: boolean; readonly at: number };

/** Something that a portrait shows beside the profile has changed (attributes, points, risk): it is to be looked at again. Not archived. */
export interface PortraitRecord {
  readonly type: 'portrait';
  readonly id: string;
  readonly shopper: string;
  readonly at: number;
  /** The growth level reached by it; the same record id when it is said again. */
  readonly levelUp?: number;
}

export type StreamRecord = ShopperEvent | ShopperRecord | PortraitRecord;

/** Small notices that every process hears (Redis pub/sub, best effort; each is also kept where it can be read). */
export type Notice =
  | { readonly kind: 'statistics'; readonly version: string }
  | { readonly kind: 'trending' }
  | { readonly kind: 'erased'; readonly shopper: string };
