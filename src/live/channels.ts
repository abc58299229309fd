import type { ChannelAddress } from '../domain/channel.js';
import type { ShopperKey } from '../domain/shopper.js';
import { AppError } from '../errors.js';
import type { Identity } from './authentication.js';

/** Where the channels are that a client may name. */
export interface LiveChannels {
  readonly ofShopper: (shopper: ShopperKey) => ChannelAddress;
  /** The channel of a room, for somebody who may enter it. @throws AppError `not_found` or `forbidden` */
  readonly ofRoom: (roomId: string, visitor: Identity) => Promise<ChannelAddress>;
}

const ROOM = 'room:';

/** @returns the room that a channel is of; undefined for a shopper's */
export const roomOf = (name: string): string | undefined => (name.startsWith(ROOM) ? name.slice(ROOM.length) : undefined);

/** Asked anew at each subscription, resumed ones too, and after each new token. @throws AppError where the shopper may not listen */
export async function channelOf(channels: LiveChannels, name: string, shopper: Identity): Promise<ChannelAddress> {
  const roomId = roomOf(name);
  if (roomId !== undefined) return channels.ofRoom(roomId, shopper);
  const own = channels.ofShopper(shopper.key);
  if (name !== own.name) throw new AppError('forbidden', 'The channel belongs to another shopper.');
  return own;
}
