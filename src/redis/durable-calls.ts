import type { Redis } from 'ioredis';
import { AppError } from '../errors.js';
import { isCluster, slotsRefreshed, type RedisClient } from './client.js';
import { IN_DOUBT } from './cluster-client.js';
import { slotOfKey } from './keys.js';

/** How many replicas must have a write before it counts as done. */
export interface WaitPolicy {
  /** A connection for nothing else: WAIT counts the writes of its own, and holds up what comes after it. */
  readonly redis: RedisClient;
  readonly replicas: number;
  readonly timeoutMs: number;
}

/** Calls that a key's master may have changed hands under; each says that nothing was done there. */
const MOVES_MAX = 3;

/**
 * Calls of scripts, each followed by WAIT right behind it on the same connection. On a Redis Cluster that is the connection to the
 * key's master and no pipeline of the cluster's client, which may send the parts of it elsewhere: WAIT would then count the writes of
 * somebody else.
 */
export class DurableCalls<Scripts> {
  readonly #wait: WaitPolicy;
  readonly #define: (redis: RedisClient) => void;
  readonly #defined = new WeakSet<Redis>();

  /** @param define makes the scripts known to a connection */
  constructor(wait: WaitPolicy, define: (redis: RedisClient) => void) {
    this.#wait = wait;
    this.#define = define;
  }

  /**
   * @param key any of the call's
   * @throws AppError `write_unknown` when too few replicas have it in time; what Redis says
   */
  async call(key: string, call: (scripts: Scripts) => unknown): Promise<string> {
    const { redis, replicas, timeoutMs } = this.#wait;
    for (let moves = 0; ; moves++) {
      const pipeline = this.#connectionOf(key).pipeline();
      call(pipeline as unknown as Scripts);
      const [made, waited] = await pipeline.wait(replicas, timeoutMs).exec() ?? [];
      const fault = made?.[0] ?? waited?.[0];
      if (fault !== undefined && fault !== null) {
        if (!isCluster(redis)) throw fault;
        if (!fault.message.startsWith('MOVED ') || moves === MOVES_MAX) {
          redis.emit(IN_DOUBT);
          throw fault;
        }
        await slotsRefreshed(redis);
      } else if (Number(waited?.[1]) < replicas) {
        throw new AppError('write_unknown', `Fewer than ${replicas} replicas had this within ${timeoutMs} ms; send the same again, it is done at most once.`);
      } else return String(made?.[1]);
    }
  }

  #connectionOf(key: string): Redis {
    const { redis } = this.#wait;
    const address = isCluster(redis) ? redis.slots[slotOfKey(key)]?.[0] : undefined;
    const connection = isCluster(redis) ? redis.nodes('master').find(({ options: { host, port } }) => `${host}:${port}` === address) : redis;
    if (connection === undefined) throw new Error("Stream isn't writeable: the key's master is away");
    if (!this.#defined.has(connection)) this.#define(connection);
    this.#defined.add(connection);
    return connection;
  }
}
