import type { ShopperEvent } from '../domain/event.js';
import type { Scene } from '../domain/scene.js';

export interface EventRecord {
  readonly kind: 'event';
  readonly at: number;
  readonly event: ShopperEvent;
}

/** One list as it was shown, and what came of it before the visit ended: what a ranker learns from. */
export interface ImpressionRecord {
  readonly kind: 'impression';
  /** ms; the shopper's profile as of just before this record is what a ranker would have known. */
  readonly at: number;
  readonly shopper: string;
  readonly scene: Scene;
  readonly region: string;
  /** The item whose page it is, in scene `product`. */
  readonly itemId?: string;
  /** As shown, first to last. */
  readonly items: readonly string[];
  readonly clicked: string[];
  readonly carted: string[];
  readonly bought: string[];
}

export type DemoRecord = EventRecord | ImpressionRecord;
