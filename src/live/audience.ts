import type { ChannelAddress, LoggedFrame } from '../domain/channel.js';
import type { ShopperKey } from '../domain/shopper.js';

/** A socket, or whatever else receives for a shopper, as the hub sees it. */
export interface Member {
  readonly shopper: ShopperKey;
  /**
   * The next frame of a channel it joined.
   * @param frame shared by all members, not to be changed
   * @param isState only the latest of its channel and type counts
   */
  deliver(channel: ChannelAddress, frame: Buffer, isState: boolean): void;
  /** Frames of a channel are lost: its state has to be sent anew, and what follows comes after the channel's new head. */
  resync(channel: ChannelAddress): void;
  /** The shopper's profile changed. */
  touched(): void;
  /** Another socket takes this one's place. */
  replaced(): void;
}

/** What happens in rooms that somebody in this process watches. Hooks must neither throw nor take long. */
export interface RoomHooks {
  /** A logged frame of a room, once and in order; after a gap what was missed comes, too, as far as the log goes back. */
  onFrame?(roomId: string, type: string, frame: LoggedFrame): void;
  onJoin?(roomId: string, member: Member): void;
  onLeave?(roomId: string, member: Member): void;
}

/** Who listens in this process. `LiveHub` is it. */
export interface Audience {
  /** Members of this process that have joined a channel. */
  viewersOf(channel: ChannelAddress): Iterable<Member>;
  /**
   * Hands a frame that this process has just appended to its own members at once; the copy that comes back from Redis is dropped by its
   * offset. Of a channel without members nothing happens.
   */
  feed(channel: ChannelAddress, frame: LoggedFrame): void;
  /** Adds hooks, for as long as the process lives. */
  watchRooms(hooks: RoomHooks): void;
}
