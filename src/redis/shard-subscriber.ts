import { Redis } from 'ioredis';
import type { PushListener, PushSubscriber } from '../domain/channel.js';
import { groupBy } from '../util/group-by.js';
import { isCluster, retryStrategy, type RedisClient } from './client.js';
import { isAway } from './errors.js';
import { slotOfKey } from './keys.js';

const SUBSCRIBER_LIMITS = {
  /** Channels of one command, all of one slot. */
  perCommand: 200,
  /** What is not subscribed where it belongs is looked after this often, ms … */
  everyMs: 1000,
  /** … and this long after a node said that slots have left it, ms. */
  movedMs: 50,
} as const;

/** Of a single Redis there is one line, of a cluster one for each master that holds any of the channels. */
const SINGLE = 'single';

interface Line {
  readonly connection: Redis;
  readonly own: Set<Subscription>;
  /** Replies of an earlier connection mean nothing. */
  session: number;
}

interface Subscription {
  readonly push: string;
  readonly slot: number;
  line: Line | undefined;
  state: 'wanted' | 'asked' | 'live';
}

/**
 * Sharded subscriptions over connections of their own. What is wanted is kept here and subscribed anew on each connection, and on a Redis
 * Cluster at each slot's master as it is now: ioredis would restore subscriptions, too, but not say when, and what was published
 * meanwhile would be missed without notice.
 */
export class ShardSubscriber implements PushSubscriber {
  readonly #redis: RedisClient;
  readonly #listener: PushListener;
  readonly #subscriptions = new Map<string, Subscription>();
  /** By address of the node. */
  readonly #lines = new Map<string, Line>();
  readonly #timer: NodeJS.Timeout;
  readonly #follow = (): void => { this.#lookAfterAll(); };
  #soon: NodeJS.Timeout | undefined;

  /** @param redis its address and options are taken over; of a cluster, its map of slots is followed */
  constructor(redis: RedisClient, listener: PushListener) {
    this.#redis = redis;
    this.#listener = listener;
    this.#timer = setInterval(this.#follow, SUBSCRIBER_LIMITS.everyMs);
    this.#timer.unref();
    redis.on('refresh', this.#follow);
    if (!isCluster(redis)) this.#lineOf(0);
  }

  subscribe(push: string): void {
    if (this.#subscriptions.has(push)) return;
    const slot = slotOfKey(push);
    const subscription: Subscription = { push, slot, line: this.#lineOf(slot), state: 'wanted' };
    this.#subscriptions.set(push, subscription);
    subscription.line?.own.add(subscription);
    if (subscription.line?.connection.status === 'ready') void this.#ask(subscription.line, [subscription]);
  }

  unsubscribe(push: string): void {
    const subscription = this.#subscriptions.get(push);
    if (subscription === undefined) return;
    this.#subscriptions.delete(push);
    if (subscription.line !== undefined) leave(subscription.line, subscription);
    subscription.state = 'wanted';
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#redis.off('refresh', this.#follow);
    for (const { connection } of this.#lines.values()) connection.disconnect();
  }

  #lineOf(slot: number): Line | undefined {
    const address = isCluster(this.#redis) ? this.#redis.slots[slot]?.[0] : SINGLE;
    if (address === undefined) return undefined;
    const line = this.#lines.get(address) ?? this.#open(connectionTo(this.#redis, address));
    this.#lines.set(address, line);
    return line;
  }

  #open(connection: Redis): Line {
    const line: Line = { connection, own: new Set(), session: 0 };
    connection.on('error', () => { /* Connecting anew is under way. */ });
    connection.on('ready', () => { this.#askAll(line); });
    connection.on('close', () => {
      line.session += 1;
      for (const subscription of line.own) this.#lose(subscription);
    });
    // A node says that slots have left it, though not which.
    connection.on('moved', () => { this.#followSoon(line); });
    connection.on('smessageBuffer', (push: Buffer, message: Buffer) => { this.#listener.onMessage(push.toString(), message); });
    return line;
  }

  #followSoon(line: Line): void {
    for (const subscription of line.own) this.#lose(subscription);
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      if (isCluster(this.#redis)) this.#redis.refreshSlotsCache();
    }, SUBSCRIBER_LIMITS.movedMs);
  }

  /** Brings every subscription to the master of its slot, and asks for those that are not live. */
  #lookAfterAll(): void {
    for (const subscription of this.#subscriptions.values()) {
      const line = this.#lineOf(subscription.slot);
      if (line === undefined || line === subscription.line) continue;
      if (subscription.line !== undefined) leave(subscription.line, subscription);
      this.#lose(subscription);
      subscription.line = line;
      line.own.add(subscription);
    }
    for (const [address, line] of this.#lines) {
      if (address !== SINGLE && line.own.size === 0) {
        line.connection.disconnect();
        this.#lines.delete(address);
      } else if (line.connection.status === 'ready') this.#askAll(line);
    }
  }

  #lose(subscription: Subscription): void {
    const wasLive = subscription.state === 'live';
    subscription.state = 'wanted';
    if (wasLive) this.#listener.onLost(subscription.push);
  }

  #askAll(line: Line): void {
    const wanted = [...line.own].filter(({ state }) => state === 'wanted');
    for (const [, some] of groupBy(wanted, ({ slot }) => slot)) {
      for (let from = 0; from < some.length; from += SUBSCRIBER_LIMITS.perCommand) void this.#ask(line, some.slice(from, from + SUBSCRIBER_LIMITS.perCommand));
    }
  }

  async #ask(line: Line, subscriptions: readonly Subscription[]): Promise<void> {
    const { session } = line;
    const stillAsked = (): Subscription[] => subscriptions.filter((one) => one.line === line && one.state === 'asked' && line.session === session);
    for (const subscription of subscriptions) subscription.state = 'asked';
    try {
      await line.connection.ssubscribe(...subscriptions.map(({ push }) => push));
    } catch (error) {
      const failed = stillAsked();
      for (const subscription of failed) subscription.state = 'wanted';
      // Where the slot has moved ioredis has said so itself, and a master that is away comes back or is replaced.
      if (failed.length > 0 && !isAway(error)) this.#listener.onFault(error);
      return;
    }
    for (const subscription of stillAsked()) {
      subscription.state = 'live';
      this.#listener.onLive(subscription.push);
    }
  }
}

function leave(line: Line, subscription: Subscription): void {
  line.own.delete(subscription);
  if (subscription.state !== 'wanted' && line.connection.status === 'ready') line.connection.sunsubscribe(subscription.push).catch(() => { /* Gone with the connection. */ });
}

function connectionTo(redis: RedisClient, address: string): Redis {
  const options = {
    connectionName: 'live', autoResubscribe: false, autoResendUnfulfilledCommands: false, enableOfflineQueue: false, maxRetriesPerRequest: null, retryStrategy,
  };
  if (!isCluster(redis)) return redis.duplicate(options);
  const colon = address.lastIndexOf(':');
  return new Redis({ ...redis.options.redisOptions, ...options, enableAutoPipelining: true, replyMapping: 'legacy', host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
}
