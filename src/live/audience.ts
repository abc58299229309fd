import type { ChannelAddress, LoggedFrame, Position } from '../domain/channel.js';
import type { ShopperKey } from '../domain/shopper.js';

/** A socket, or whatever else receives for a shopper, as the hub sees it. */
export interface Member {
  readonly shopper: ShopperKey;
  /**
   * The next frame of a channel it joined.
   * @param frame JSON text; shared by all members, not to be changed
   * @param stateKey of a state frame: while frames wait for a slow reader, the latest of a key takes the place of the one before
   */
  deliver(channel: ChannelAddress, frame: Buffer, stateKey: string | undefined): void;
  /** Frames of a channel up to `head` are lost: its state has to be sent anew. Frames delivered from now on come after `head`. */
  resync(channel: ChannelAddress, head: Position): void;
  /** The shopper's profile changed. Told to members of the shopper's channel. */
  touched(): void;
  /** Another socket takes this one's place. */
  replaced(): void;
  /** Who may enter a room it has joined has changed: it leaves where it may not stay. Not asked of who joins no rooms. */
  recheck?(channel: ChannelAddress): Promise<void>;
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
   * Hands a frame that this process has just appended to its own members at once; a copy that comes back from Redis is dropped by its
   * offset. Where frames before this one are still on their way, it comes after them.
   * @returns whether this process listens to the channel; else whoever does must be told by Redis
   */
  feed(channel: ChannelAddress, frame: LoggedFrame): boolean;
  /** Where members of this process stand in a channel's log; undefined where nobody listens, or it is not known just now. */
  headOf(channel: ChannelAddress): Position | undefined;
  /** Adds hooks, for as long as the process lives. */
  watchRooms(hooks: RoomHooks): void;
}
