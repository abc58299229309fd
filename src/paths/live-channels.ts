import type { Room } from '../domain/room.js';
import { AppError } from '../errors.js';
import { mayEnter } from '../live/authentication.js';
import type { StateReader } from '../live/channel-states.js';
import type { LiveChannels } from '../live/channels.js';
import { roomChannel, shopperChannel } from '../redis/channel-log.js';
import { storeError } from '../redis/errors.js';
import type { Keys } from '../redis/keys.js';
import type { RoomPulseStore } from '../redis/room-pulse-store.js';
import type { RoomStore } from '../redis/room-store.js';
import type { Clock } from '../util/clock.js';
import type { Inbox } from './inbox.js';

export interface LiveChannelsDeps {
  readonly keys: Keys;
  /** Rooms that are not closed, as this process knows them. */
  readonly book: { get(id: string): Room | undefined };
  readonly store: Pick<RoomStore, 'read' | 'openCues'>;
  readonly pulses: Pick<RoomPulseStore, 'shown'>;
  readonly inbox: Pick<Inbox, 'messages'>;
  readonly clock: Clock;
}

/** The channels that a socket may name, and what each stands for as a whole. */
export function liveChannels({ keys, book, store, pulses, inbox, clock }: LiveChannelsDeps): { channels: LiveChannels; reader: StateReader } {
  const readRoom = async (id: string): Promise<Room> => {
    const room = await store.read(id).catch((error: unknown) => { throw storeError(error); });
    if (room === undefined) throw new AppError('not_found', `There is no room ${id}.`);
    return room;
  };
  return {
    channels: {
      ofShopper: (shopper) => shopperChannel(keys, shopper),
      async ofRoom(id, visitor) {
        if (!mayEnter(visitor, book.get(id) ?? await readRoom(id))) throw new AppError('forbidden', `Room ${id} is for those whose token names it.`);
        return roomChannel(keys, id);
      },
    },
    reader: {
      ofShopper: async (shopper) => JSON.stringify({ offers: await inbox.messages(shopper) }),
      async ofRoom(id) {
        const shown = Promise.all([store.openCues(id, clock()), pulses.shown(id)]).catch((error: unknown) => { throw storeError(error); });
        const [room, [cues, { stats, comments }]] = await Promise.all([readRoom(id), shown]);
        return JSON.stringify({ room, cues, stats, comments });
      },
    },
  };
}
