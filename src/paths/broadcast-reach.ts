import type { Cue } from '../domain/cue.js';
import type { Audience, RoomHooks } from '../live/audience.js';
import { roomChannel } from '../redis/channel-log.js';
import type { CueStore } from '../redis/cue-store.js';
import type { Keys } from '../redis/keys.js';

export interface BroadcastReachOptions {
  readonly audience: Pick<Audience, 'viewersOf'>;
  readonly keys: Keys;
  readonly store: Pick<CueStore, 'countTold'>;
  readonly onFault: (error: unknown) => void;
}

/**
 * Counts whom a cue reaches that is the same for everybody: the viewers who are here when its frame comes. Those of a ladder are counted as they
 * are served, by `CuePlayer`.
 */
export function broadcastReach({ audience, keys, store, onFault }: BroadcastReachOptions): RoomHooks {
  return {
    onFrame(roomId, type, { json }) {
      if (type !== 'cue') return;
      const { cue } = JSON.parse(json.toString()) as { cue: Cue };
      if (cue.kind === 'coupon_ladder') return;
      const shoppers = new Set(Array.from(audience.viewersOf(roomChannel(keys, roomId)), ({ shopper }) => shopper));
      if (shoppers.size > 0) store.countTold(cue, shoppers.size).catch(onFault);
    },
  };
}
