import { Redis } from 'ioredis';
import { slotOfKey } from '../../src/redis/keys.js';
import { freePort, startRedis, type TestRedis } from './redis.js';
import { until } from './until.js';

/** A private Redis Cluster of six processes on loopback: three masters with a replica each. */
export interface TestCluster {
  /** For REDIS_URL. */
  readonly url: string;
  /** The first three began as masters, the other three as their replicas, in the same order. */
  readonly nodes: readonly TestRedis[];
  /** CLUSTER-NODE-TIMEOUT, ms. */
  readonly nodeTimeoutMs: number;
  /** @returns which process holds a key now, as far as any knows */
  holders(): Promise<(key: string) => TestRedis | undefined>;
  /** Moves a key's slot, with all that is in it, to another master, as `redis-cli --cluster reshard` does. */
  moveSlot(key: string, to: TestRedis): Promise<void>;
  /** Resolves when every slot has a living master and every master, as far as they live, its replica. */
  settled(): Promise<void>;
  /** Ends all of it and removes its files. */
  stop(): Promise<void>;
}

export interface TestClusterOptions {
  /** Default 2000. */
  readonly nodeTimeoutMs?: number;
  /** Keep the data over `kill` and `restart`. Default false. */
  readonly appendOnly?: boolean;
}

const MASTERS = 3;
const SLOTS = 16_384;
const START_MS = 60_000;
const START_TRIES_MAX = 3;
/** Keys of one step of a slot's move, and its time, ms. */
const MOVED_AT_ONCE = 100;
const MOVE_MS = 10_000;

export async function startRedisCluster({ nodeTimeoutMs = 2000, appendOnly = false }: TestClusterOptions = {}): Promise<TestCluster> {
  const started = await Promise.all(Array.from({ length: MASTERS * 2 }, () => startNode(nodeTimeoutMs, appendOnly)));
  const nodes = started.map(({ node }) => node);
  const cluster: TestCluster = {
    nodes, nodeTimeoutMs,
    url: `redis-cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    holders: () => holders(nodes),
    moveSlot: (key, to) => moveSlot(nodes, slotOfKey(key), to),
    settled: () => settled(nodes),
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
  try {
    await form(nodes, started.map(({ busPort }) => busPort));
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

async function startNode(nodeTimeoutMs: number, appendOnly: boolean): Promise<{ node: TestRedis; busPort: number }> {
  for (let tries = 1; ; tries++) {
    const busPort = await freePort();
    try {
      const node = await startRedis({
        appendOnly,
        settings: {
          'cluster-enabled': 'yes', 'cluster-port': String(busPort), 'cluster-node-timeout': String(nodeTimeoutMs), 'cluster-replica-validity-factor': '0',
          // While one master is away the others go on.
          'cluster-require-full-coverage': 'no', 'repl-diskless-sync-delay': '0',
        },
      });
      return { node, busPort };
    } catch (error) {
      // Another process may have taken the port in between.
      if (tries === START_TRIES_MAX) throw error;
    }
  }
}

/** What `redis-cli --cluster create` does. */
async function form(nodes: readonly TestRedis[], busPorts: readonly number[]): Promise<void> {
  const [first] = nodes;
  await Promise.all(nodes.slice(0, MASTERS).map((node, i) => ask(node, async (redis) => {
    await redis.cluster('SET-CONFIG-EPOCH', i + 1);
    await redis.cluster('ADDSLOTSRANGE', Math.ceil(SLOTS / MASTERS * i), Math.ceil(SLOTS / MASTERS * (i + 1)) - 1);
  })));
  await ask(first!, (redis) => Promise.all(nodes.slice(1).map((node, i) => redis.call('CLUSTER', 'MEET', '127.0.0.1', node.port, busPorts[i + 1]!))));
  await Promise.all(nodes.map((node) => until(async () => (await rowsOf(node)).filter(({ flags }) => !flags.includes('handshake')).length === nodes.length, 'all nodes know each other', START_MS)));
  await Promise.all(nodes.slice(MASTERS).map(async (node, i) => {
    const master = (await rowsOf(nodes[i]!)).find(({ flags }) => flags.includes('myself'))!;
    await ask(node, (redis) => redis.cluster('REPLICATE', master.id));
  }));
  await settled(nodes);
}

async function moveSlot(nodes: readonly TestRedis[], slot: number, to: TestRedis): Promise<void> {
  const rows = await rowsOf(to);
  const target = rows.find(({ flags }) => flags.includes('myself'))!;
  const source = rows.find((row) => isHolder(row, slot))!;
  const from = nodes.find(({ port }) => port === source.port)!;
  await ask(to, (redis) => redis.cluster('SETSLOT', slot, 'IMPORTING', source.id));
  await ask(from, async (redis) => {
    await redis.cluster('SETSLOT', slot, 'MIGRATING', target.id);
    for (let keys = await redis.cluster('GETKEYSINSLOT', slot, MOVED_AT_ONCE); keys.length > 0; keys = await redis.cluster('GETKEYSINSLOT', slot, MOVED_AT_ONCE)) {
      await redis.call('MIGRATE', '127.0.0.1', to.port, '', 0, MOVE_MS, 'KEYS', ...keys as string[]);
    }
  });
  for (const node of [to, from]) await ask(node, (redis) => redis.cluster('SETSLOT', slot, 'NODE', target.id));
}

async function settled(nodes: readonly TestRedis[]): Promise<void> {
  await until(async () => (await Promise.all(nodes.map(isSettled))).every((isSo) => isSo), 'the cluster has settled', START_MS);
}

/** … as this node sees it; one that is gone sees nothing. */
async function isSettled(node: TestRedis): Promise<boolean> {
  try {
    const [cluster, replication] = await ask(node, (redis) => Promise.all([redis.cluster('INFO'), redis.info('replication')]));
    if (!/cluster_state:ok/u.test(cluster) || !cluster.includes(`cluster_slots_ok:${SLOTS}`)) return false;
    return replication.includes('role:slave') ? replication.includes('master_link_status:up') : replication.includes('state=online') || (await livingReplicas(node)) === 0;
  } catch {
    return true;
  }
}

interface NodeRow {
  readonly id: string;
  readonly port: number;
  readonly flags: readonly string[];
  readonly masterId: string;
  readonly epoch: number;
  readonly slots: readonly string[];
}

async function livingReplicas(node: TestRedis): Promise<number> {
  const rows = await rowsOf(node);
  const { id } = rows.find(({ flags }) => flags.includes('myself'))!;
  return rows.filter(({ masterId, flags }) => masterId === id && !flags.includes('fail')).length;
}

async function holders(nodes: readonly TestRedis[]): Promise<(key: string) => TestRedis | undefined> {
  const views = await Promise.all(nodes.map((node) => rowsOf(node).catch(() => [])));
  // A node that has just come back may believe in the old order: the most recent change counts.
  const masters = views.flat().filter(({ flags }) => flags.includes('master') && !flags.includes('fail')).toSorted((a, b) => b.epoch - a.epoch);
  return (key) => {
    const slot = slotOfKey(key);
    const holder = masters.find((row) => isHolder(row, slot));
    return nodes.find(({ port }) => port === holder?.port);
  };
}

const isHolder = ({ flags, slots }: NodeRow, slot: number): boolean => flags.includes('master') && slots.some((range) => {
  const [from = NaN, to = from] = range.split('-').map(Number);
  return slot >= from && slot <= to;
});

/** CLUSTER NODES: id, address, flags, master, ping, pong, epoch, link, slots… */
async function rowsOf(node: TestRedis): Promise<NodeRow[]> {
  const text = String(await ask(node, (redis) => redis.call('CLUSTER', 'NODES')));
  return text.trim().split('\n').map((line) => {
    const [id = '', address = '', flags = '', masterId = '', , , epoch, , ...slots] = line.split(' ');
    return { id, port: Number(/:(\d+)@/u.exec(address)?.[1]), flags: flags.split(','), masterId, epoch: Number(epoch), slots };
  });
}

async function ask<T>(node: TestRedis, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ host: '127.0.0.1', port: node.port, commandTimeout: 2000, maxRetriesPerRequest: 0, retryStrategy: null, lazyConnect: true });
  redis.on('error', () => { /* Told by the question. */ });
  try {
    await redis.connect();
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}
