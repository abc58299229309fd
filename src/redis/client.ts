import { Cluster, Redis } from 'ioredis';
import { AppError } from '../errors.js';
import { isClusterUrl, parseClusterUrl, type ClusterAddress } from '../util/cluster-url.js';
import { ClusterClient, IN_DOUBT } from './cluster-client.js';
import { SingleClient } from './single-client.js';

/** Waits and sizes of a connection. */
const CONNECTION_LIMITS = {
  connectMs: 2000,
  /** Pause between attempts to reconnect: doubles from … to …, ms. */
  retryFromMs: 20,
  retryToMs: 500,
} as const;

/** … and of a client of a Redis Cluster. */
const CLUSTER_LIMITS = {
  /** The map of slots is asked for this often, ms, beside whenever a node says MOVED: a node that hangs says nothing. */
  refreshEveryMs: 1000,
  /** A node that has not told the map by then is passed over, ms. */
  refreshMs: 500,
  /** Nodes a command is sent on to. */
  redirections: 16,
  /** After a failure the map is asked for, and what waits for Redis to come back tried again, this often, ms. */
  againMs: 100,
} as const;

/** One Redis, or all of a Redis Cluster: what a store needs, both give. */
export type RedisClient = Redis | Cluster;

/** What a connection is for. */
export type Purpose =
  /** Requests: answers in time or not at all; nothing is queued while Redis is away, nothing is sent twice. */
  | 'commands'
  /** Blocking reads and subscriptions: waits for Redis to come back, without a limit per command. */
  | 'listening';

interface ConnectOptions {
  readonly timeoutMs: number;
  readonly name: string;
}

/** Pause before the n-th try to connect anew, ms. */
export const retryStrategy = (attempt: number): number => Math.min(CONNECTION_LIMITS.retryToMs, CONNECTION_LIMITS.retryFromMs * 2 ** attempt);

/**
 * With `maxRetriesPerRequest: 0` a command whose reply was lost is rejected and not sent again: the default would
 * execute a write twice. A command that timed out may still have been executed: it is unknown, and the caller's ids
 * make another try safe.
 * @param url `redis://…` or `rediss://…`, or of a cluster as `parseClusterUrl` says
 */
export function connectRedis(url: string, purpose: Purpose, options: ConnectOptions): RedisClient {
  const redis = isClusterUrl(url) ? connectCluster(url, purpose, options) : connectOne(url, purpose, options);
  redis.on('error', () => { /* Reconnecting is under way; the commands that failed tell their callers. */ });
  return redis;
}

function connectOne(url: string, purpose: Purpose, { name, timeoutMs }: ConnectOptions): Redis {
  const shared = { connectionName: name, connectTimeout: CONNECTION_LIMITS.connectMs, retryStrategy };
  return purpose === 'commands'
    ? new SingleClient(url, { ...shared, maxRetriesPerRequest: 0, enableOfflineQueue: false, commandTimeout: timeoutMs })
    : new Redis(url, { ...shared, maxRetriesPerRequest: null });
}

/**
 * A pause of 0 after a failure means no other try: only redirections (MOVED, ASK, TRYAGAIN), where a node says that it has
 * done nothing, are followed by a client for requests.
 */
function connectCluster(url: string, purpose: Purpose, { name, timeoutMs }: ConnectOptions): Cluster {
  const address = parseClusterUrl(url);
  if (address === undefined) throw new Error('This is no address of a Redis Cluster.');
  const { refreshMs, redirections, againMs } = CLUSTER_LIMITS;
  const shared = { clusterRetryStrategy: retryStrategy, slotsRefreshTimeout: refreshMs };
  const redisOptions = { ...accessOf(address), connectionName: name, connectTimeout: CONNECTION_LIMITS.connectMs };
  const nodes = [...address.nodes];
  const cluster = purpose === 'commands'
    ? new ClusterClient(nodes, {
      ...shared, maxRedirections: redirections, retryDelayOnFailover: 0, retryDelayOnClusterDown: 0,
      // A node that is loading its data is not waited for: it says so.
      redisOptions: { ...redisOptions, maxRetriesPerRequest: 0, commandTimeout: timeoutMs, enableReadyCheck: false },
    })
    : new Cluster(nodes, {
      ...shared, maxRedirections: Number.MAX_SAFE_INTEGER, retryDelayOnFailover: againMs, retryDelayOnClusterDown: againMs,
      redisOptions: { ...redisOptions, maxRetriesPerRequest: null },
    });
  keepSlotsFresh(cluster);
  return cluster;
}

/** Not by `slotsRefreshInterval`: its timer goes on for ever where a refresh is under way at the end. */
function keepSlotsFresh(cluster: Cluster): void {
  const refresh = (): void => { if (cluster.status === 'ready') cluster.refreshSlotsCache(); };
  const timer = setInterval(refresh, CLUSTER_LIMITS.refreshEveryMs);
  let soon: NodeJS.Timeout | undefined;
  const refreshSoon = (): void => {
    soon ??= setTimeout(() => {
      soon = undefined;
      refresh();
    }, CLUSTER_LIMITS.againMs);
  };
  for (const event of ['-node', IN_DOUBT]) cluster.on(event, refreshSoon);
  cluster.once('end', () => {
    clearInterval(timer);
    clearTimeout(soon);
  });
}

function accessOf({ username, password, tls }: ClusterAddress) {
  return { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }), ...(tls ? { tls: {} } : {}) };
}

/** Whether keys lie on several nodes: no command, and no read that blocks, reaches over more than one slot. */
export const isCluster = (redis: RedisClient): redis is Cluster => redis.isCluster;

/** Gives each command so much time from now on, ms: a store that is slow is waited for while a process starts, and not by its requests. */
export function limitCommands(redis: RedisClient, timeoutMs: number): void {
  const limit = ({ options }: Redis): void => { options.commandTimeout = timeoutMs; };
  for (const node of isCluster(redis) ? redis.nodes('all') : [redis]) limit(node);
  // Nodes of a cluster come and go.
  if (isCluster(redis)) redis.on('+node', limit);
}

/** Connections to all that hold keys. */
export const mastersOf = (redis: RedisClient): Redis[] => (isCluster(redis) ? redis.nodes('master') : [redis]);

/** Resolves when the map of slots is as some node tells it now, or none does. */
export const slotsRefreshed = (cluster: Cluster): Promise<void> => new Promise((resolve) => { cluster.refreshSlotsCache(() => { resolve(); }); });

/** Calls back whenever a connection is lost: what was under way on it may be lost with it. */
export function onLost(redis: RedisClient, listener: () => void): void {
  redis.on(isCluster(redis) ? '-node' : 'close', listener);
}

/**
 * Resolves when the connection is usable.
 * @throws AppError `store_unavailable`, with what was last heard of the connection
 */
export async function untilReady(redis: RedisClient, timeoutMs: number): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    let heard = 'nothing';
    const hear = (error: Error): void => { heard = error.message; };
    redis.on('error', hear);
    const timer = setTimeout(() => {
      redis.off('ready', ready).off('error', hear);
      reject(new AppError('store_unavailable', `Redis did not answer within ${timeoutMs} ms (last heard: ${heard}). See that it runs, and that REDIS_URL is its address.`));
    }, timeoutMs);
    const ready = (): void => {
      redis.off('error', hear);
      clearTimeout(timer);
      resolve();
    };
    redis.once('ready', ready);
  });
}
