import type { ChannelAddress, LoggedFrame, LogPart, Position, PushListener, PushSubscriber } from '../domain/channel.js';
import type { ShopperKey } from '../domain/shopper.js';
import { AppError } from '../errors.js';
import { LATE, within } from '../util/deadline.js';
import { loopShare } from '../util/loop-share.js';
import { pause } from '../util/pause.js';
import type { Audience, Member, RoomHooks } from './audience.js';
import { Feed, parseMessage, typeOf } from './feed.js';
import type { LiveLimits } from './limits.js';

const HUB_LIMITS = {
  /** Logs read at once, and failures of one after which they are told of. */
  readsAtOnce: 64,
  failuresUntold: 8,
  /** Pause after the n-th failure: n times this, up to …, ms. */
  retryMs: 250, retryMsMax: 2000,
  /** Every log that is listened to is kept alive this often, ms, in this many steps. */
  keepEveryMs: 240_000, keepSteps: 240,
} as const;

/** The logs of channels, as the hub needs them. */
export interface Logs {
  read(channel: ChannelAddress, after: Position | number): Promise<LogPart>;
  keep(channels: readonly ChannelAddress[]): Promise<void>;
}

export interface LiveHubOptions {
  /** Makes the subscriptions; the hub ends them. */
  readonly subscriber: (listener: PushListener) => PushSubscriber;
  readonly logs: Logs;
  readonly limits: Pick<LiveLimits, 'socketsPerShopperMax' | 'subscribeMs'>;
  readonly onFault: (error: unknown) => void;
}

/** Where a new member begins. Every frame after `head` is delivered to it from now on. */
export interface Joined {
  readonly head: Position;
  /** What came between the place it wanted and the head; undefined: lost, or no place was wanted. */
  readonly missed: readonly LoggedFrame[] | undefined;
}

/**
 * Who is here: the members of each channel in this process, and one sharded subscription per channel, on which any process pushes frames.
 * Offsets show what is missing, after a lost connection, too; it is read from the log then, once for all members.
 */
export class LiveHub implements Audience {
  readonly #subscriber: PushSubscriber;
  readonly #logs: Logs;
  readonly #limits: LiveHubOptions['limits'];
  readonly #onFault: (error: unknown) => void;
  /** By push channel. */
  readonly #feeds = new Map<string, Feed>();
  /** Each shopper's, the oldest first. */
  readonly #sockets = new Map<ShopperKey, Member[]>();
  readonly #hooks: RoomHooks[] = [];
  /** Feeds whose log is to be read, and how many are being read. */
  readonly #unread = new Set<Feed>();
  #reading = 0;
  readonly #keeper: NodeJS.Timeout;
  #toKeep = this.#feeds.values();

  constructor({ subscriber, logs, limits, onFault }: LiveHubOptions) {
    this.#logs = logs;
    this.#limits = limits;
    this.#onFault = onFault;
    this.#subscriber = subscriber({
      onMessage: (push, message) => { this.#receive(push, message); },
      onLive: (push) => { this.#begin(push); },
      onLost: (push) => { this.#lose(push); },
      onFault,
    });
    this.#keeper = setInterval(() => void this.#keep(), HUB_LIMITS.keepEveryMs / HUB_LIMITS.keepSteps);
    this.#keeper.unref();
  }

  get shoppers(): number {
    return this.#sockets.size;
  }

  get channels(): number {
    return this.#feeds.size;
  }

  /** A socket of a shopper; where there are too many, the oldest makes room. */
  enter(member: Member): void {
    const sockets = this.#sockets.get(member.shopper);
    if (sockets === undefined) this.#sockets.set(member.shopper, [member]);
    else if (sockets.push(member) > this.#limits.socketsPerShopperMax) sockets[0]!.replaced();
  }

  /** The socket is gone; it has left its channels. */
  exit(member: Member): void {
    const others = this.#sockets.get(member.shopper)?.filter((one) => one !== member) ?? [];
    if (others.length === 0) this.#sockets.delete(member.shopper);
    else this.#sockets.set(member.shopper, others);
  }

  /**
   * Makes somebody a member of a channel; one who is a member already learns what came since another place.
   * @returns undefined when it has left meanwhile
   * @throws AppError `store_unavailable`
   */
  async join(channel: ChannelAddress, member: Member, after?: Position): Promise<Joined | undefined> {
    const feed = this.#feeds.get(channel.push) ?? new Feed(channel);
    this.#feeds.set(channel.push, feed);
    feed.joining.add(member);
    if (!feed.isCurrent && !await this.#untilCurrent(feed, after)) {
      feed.joining.delete(member);
      this.#dropUnused(feed);
      throw new AppError('store_unavailable', 'The subscription could not be made in time; connect again in a moment.');
    }
    if (!feed.joining.delete(member)) return undefined;
    if (feed.members.add(member) && feed.roomId !== undefined) for (const hooks of this.#hooks) hooks.onJoin?.(feed.roomId, member);
    const head = feed.head!;
    return { head, missed: after === undefined ? undefined : await this.#missed(feed, after, head) };
  }

  leave(channel: ChannelAddress, member: Member): void {
    const feed = this.#feeds.get(channel.push);
    if (feed === undefined) return;
    feed.joining.delete(member);
    if (feed.members.remove(member) && feed.roomId !== undefined) for (const hooks of this.#hooks) hooks.onLeave?.(feed.roomId, member);
    this.#dropUnused(feed);
  }

  viewersOf(channel: ChannelAddress): Iterable<Member> {
    return this.#feeds.get(channel.push)?.members ?? [];
  }

  feed(channel: ChannelAddress, frame: LoggedFrame): boolean {
    const feed = this.#feeds.get(channel.push);
    if (feed?.isLive !== true) return false;
    this.#take(feed, frame);
    return true;
  }

  headOf(channel: ChannelAddress): Position | undefined {
    const feed = this.#feeds.get(channel.push);
    return feed?.isCurrent === true ? feed.head : undefined;
  }

  watchRooms(hooks: RoomHooks): void {
    this.#hooks.push(hooks);
  }

  /** Asks everybody in a channel, or about to be, whether they may stay, over some turns of the event loop; those who may not are told and leave. */
  async recheck({ push }: ChannelAddress): Promise<void> {
    const feed = this.#feeds.get(push);
    if (feed === undefined) return;
    for (const member of [...feed.members, ...feed.joining]) {
      for (let turn = loopShare(); turn !== undefined; turn = loopShare()) await turn;
      await member.recheck?.(feed.address);
    }
  }

  close(): void {
    clearInterval(this.#keeper);
    this.#subscriber.close();
  }

  #receive(channel: string, bytes: Buffer): void {
    const feed = this.#feeds.get(channel);
    const message = feed === undefined ? undefined : parseMessage(bytes);
    if (feed === undefined || message === undefined) return;
    if (message.kind === 'touched') {
      for (const member of feed.members) member.touched();
    } else if (message.kind === 'logged') {
      this.#take(feed, message.frame);
    } else if (feed.isCurrent) {
      const stateKey = `${channel} ${typeOf(message.frame.json)}`;
      feed.members.send(message.frame.json, stateKey);
    }
  }

  /** A logged frame, from wherever it comes. */
  #take(feed: Feed, frame: LoggedFrame): void {
    if (!feed.isCurrent) {
      // The log is about to be read, or being read right now: this frame may be in what comes, or not.
      feed.isBehind = true;
      return;
    }
    const order = feed.orderOf(frame);
    if (order === 'next') this.#deliver(feed, frame);
    else if (order === 'ahead') this.#catchUp(feed);
  }

  #deliver(feed: Feed, frame: LoggedFrame): void {
    feed.accept(frame);
    feed.members.send(frame.json, undefined);
    if (feed.roomId === undefined || this.#hooks.length === 0) return;
    const type = typeOf(frame.json);
    for (const hooks of this.#hooks) hooks.onFrame?.(feed.roomId, type, frame);
  }

  /** @returns whether it was in time */
  async #untilCurrent(feed: Feed, after: Position | undefined): Promise<boolean> {
    feed.wanted ??= after;
    const current = new Promise<void>((resolve) => feed.waiting.push(resolve));
    this.#subscriber.subscribe(feed.address.push);
    return await within(current, this.#limits.subscribeMs) !== LATE;
  }

  /** What came after a place, up to the head at this moment. */
  async #missed(feed: Feed, after: Position, head: Position): Promise<readonly LoggedFrame[] | undefined> {
    const missed = feed.missedSince(after);
    if (missed !== 'elsewhere') return missed === 'lost' ? undefined : missed;
    const { frames = [] } = await this.#logs.read(feed.address, after).catch((error: unknown) => {
      throw new AppError('store_unavailable', 'What was missed could not be read; connect again in a moment.', { cause: error });
    });
    // What is behind the head by now is delivered, too.
    const until = frames.filter(({ epoch, offset }) => epoch === head.epoch && offset <= head.offset);
    return until.length === head.offset - after.offset ? until : undefined;
  }

  #begin(push: string): void {
    const feed = this.#feeds.get(push);
    if (feed === undefined) return;
    feed.isLive = true;
    for (const member of feed.members) member.touched();
    this.#catchUp(feed);
  }

  /** Has the log read; until then nothing is delivered. */
  #catchUp(feed: Feed): void {
    feed.isCurrent = false;
    feed.isBehind = true;
    if (!feed.isReading) this.#unread.add(feed);
    this.#readNext();
  }

  #readNext(): void {
    for (const feed of this.#unread) {
      if (this.#reading >= HUB_LIMITS.readsAtOnce) return;
      this.#unread.delete(feed);
      this.#reading += 1;
      feed.isReading = true;
      void this.#read(feed);
    }
  }

  /** Reads until nothing has come meanwhile that the last reading may not have seen. */
  async #read(feed: Feed): Promise<void> {
    let failures = 0;
    while (feed.isLive && feed.isBehind) {
      feed.isBehind = false;
      try {
        this.#apply(feed, await this.#logs.read(feed.address, feed.unread));
      } catch (error) {
        feed.isBehind = true;
        failures += 1;
        if (failures === HUB_LIMITS.failuresUntold) this.#onFault(error);
        await pause(Math.min(HUB_LIMITS.retryMsMax, HUB_LIMITS.retryMs * failures));
      }
    }
    this.#reading -= 1;
    feed.isReading = false;
    if (feed.isLive) {
      feed.isCurrent = true;
      for (const resolve of feed.waiting.splice(0)) resolve();
    }
    this.#readNext();
  }

  #apply(feed: Feed, part: LogPart): void {
    if (feed.head === undefined || part.frames === undefined) {
      const isLost = feed.head !== undefined;
      feed.restart(part);
      feed.members.clear();
      if (isLost) for (const member of feed.members) member.resync(feed.address, part.head);
    } else {
      for (const frame of part.frames) this.#deliver(feed, frame);
    }
  }

  #lose(push: string): void {
    const feed = this.#feeds.get(push);
    if (feed !== undefined) feed.isLive = feed.isCurrent = false;
  }

  #dropUnused(feed: Feed): void {
    if (feed.isUsed || this.#feeds.get(feed.address.push) !== feed) return;
    this.#feeds.delete(feed.address.push);
    this.#unread.delete(feed);
    feed.isLive = feed.isCurrent = false;
    this.#subscriber.unsubscribe(feed.address.push);
  }

  /** A log that nobody writes to must outlive its listeners, whose places are in it: a few at each step. */
  async #keep(): Promise<void> {
    const channels: ChannelAddress[] = [];
    for (let left = Math.ceil(this.#feeds.size / HUB_LIMITS.keepSteps); left > 0; left--) {
      const next = this.#toKeep.next();
      if (next.done === true) {
        this.#toKeep = this.#feeds.values();
        break;
      }
      channels.push(next.value.address);
    }
    await this.#logs.keep(channels).catch(() => { /* The next round comes in time. */ });
  }
}
