import type { ShopperEvent } from '../domain/event.js';
import type { Scene } from '../domain/scene.js';

/** One list as it was shown, and what came of it: what a ranker learns from. */
export interface LoggedImpression {
  readonly kind: 'impression';
  /** ms; the shopper's profile as of just before this record is what a ranker would have known. */
  readonly at: number;
  readonly shopper: string;
  readonly scene: Scene;
  readonly region?: string | undefined;
  /** The item whose page it is, in scene `product`. */
  readonly itemId?: string | undefined;
  /** As shown, first to last. */
  readonly items: readonly string[];
  readonly clicked: readonly string[];
  readonly carted: readonly string[];
  readonly bought: readonly string[];
}

/** A store's log, in time order: what shoppers did, and what they were shown. */
export type LogRecord = { readonly kind: 'event'; readonly at: number; readonly event: ShopperEvent } | LoggedImpression;
