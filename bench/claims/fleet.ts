import { Redis } from 'ioredis';
import { pause } from '../../src/util/pause.js';
import { startEngine, type Engine } from '../../test/helpers/engine.js';
import { startRedis, type TestRedis } from '../../test/helpers/redis.js';
import { ApiClient } from './api-client.js';
import { FaultProxy } from './fault-proxy.js';

export const FLEET = {
  prefix: 'claims:',
  apis: 2,
  connections: 64,
  /** What the engine waits for Redis, ms: short, so that late replies are given up. */
  redisTimeoutMs: 400,
  /** A process that ends because Redis was too slow when it began is started again, as whoever runs it would do, at most so often. */
  startsMax: 5,
  /** The append-only file is rewritten from here on, so that a restart stays short however many runs there were before. */
  appendOnlyMin: '2mb',
  /** A replica has to catch up within …, ms. */
  replicaMs: 30_000,
} as const;

const REDIS_SETTINGS = { 'auto-aof-rewrite-min-size': FLEET.appendOnlyMin, 'repl-diskless-sync-delay': '0' };

export interface FleetOptions {
  /** One Redis, or a master with a replica. */
  readonly isReplicated: boolean;
  /** CLAIM_WAIT_REPLICAS of the processes. */
  readonly waitReplicas: number;
}

interface Parts {
  readonly options: FleetOptions;
  /** Between the engine and Redis, and between master and replica. */
  readonly proxy: FaultProxy;
  readonly link: FaultProxy;
  readonly engines: Engine[];
  worker: Engine;
  master: TestRedis;
  replica: TestRedis | undefined;
}

/** Two api processes and a worker in front of one Redis, or of one with a replica, with proxies on the way. It outlives the faults of many runs. */
export class Fleet {
  readonly #parts: Parts;
  /** How clients reach the processes. */
  readonly apis: readonly ApiClient[];

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.apis = parts.engines.map(({ url }) => new ApiClient(url, FLEET.connections));
  }

  static async start(options: FleetOptions): Promise<Fleet> {
    const master = await startRedis({ appendOnly: true, settings: REDIS_SETTINGS });
    const proxy = await FaultProxy.start(master.port);
    const link = await FaultProxy.start(master.port);
    const replica = options.isReplicated ? await startReplica(link) : undefined;
    const [worker, ...engines] = await Promise.all([launch('worker', proxy, master, options), ...Array.from({ length: FLEET.apis }, () => launch('api', proxy, master, options))]);
    return new Fleet({ options, proxy, link, engines, worker, master, replica });
  }

  get proxy(): FaultProxy {
    return this.#parts.proxy;
  }

  /** Between master and replica. */
  get link(): FaultProxy {
    return this.#parts.link;
  }

  get redis(): TestRedis {
    return this.#parts.master;
  }

  api(index: number): Engine {
    return this.#parts.engines[index]!;
  }

  async restartApi(index: number): Promise<void> {
    const { engines, proxy, master, options } = this.#parts;
    await engines[index]!.stop();
    engines[index] = await launch('api', proxy, master, options);
    await this.apis[index]!.moveTo(engines[index].url);
  }

  async killWorker(): Promise<void> {
    await this.#parts.worker.kill('SIGKILL');
  }

  async restartWorker(): Promise<void> {
    const { proxy, master, options } = this.#parts;
    await this.#parts.worker.stop();
    this.#parts.worker = await launch('worker', proxy, master, options);
  }

  /** The replica becomes master for all, the old one is gone with what only it knew, and a new replica follows. */
  async promote(): Promise<void> {
    const { proxy, link, master, replica } = this.#parts;
    if (replica === undefined) throw new Error('There is no replica to promote.');
    await ask(replica.url, (redis) => redis.replicaof('NO', 'ONE'));
    proxy.leadTo(replica.port);
    await master.stop();
    link.leadTo(replica.port);
    link.weather = { kind: 'clear' };
    this.#parts.master = replica;
    this.#parts.replica = await startReplica(link);
  }

  async stop(): Promise<void> {
    const { proxy, link, engines, worker, master, replica } = this.#parts;
    await Promise.all(this.apis.map((api) => api.stop()));
    await Promise.all([...engines, worker].map((engine) => engine.stop()));
    await Promise.all([proxy.stop(), link.stop(), master.stop(), replica?.stop()]);
  }
}

async function launch(role: 'api' | 'worker', proxy: FaultProxy, redis: TestRedis, { waitReplicas }: FleetOptions): Promise<Engine> {
  const env = {
    REDIS_URL: proxy.url, KEY_PREFIX: FLEET.prefix, REDIS_TIMEOUT_MS: String(FLEET.redisTimeoutMs), TRAIN_EVERY_S: '0', LOG_LEVEL: 'fatal',
    CLAIM_WAIT_REPLICAS: String(waitReplicas), CLAIMS_PER_MINUTE: '',
  };
  for (let start = 1; ; start++) {
    try {
      return await startEngine({ role, redis, env });
    } catch (error) {
      if (start === FLEET.startsMax) throw error;
    }
  }
}

/** A replica that has caught up with the master at the other end of the link. */
async function startReplica(link: FaultProxy): Promise<TestRedis> {
  const replica = await startRedis({ appendOnly: true, settings: { ...REDIS_SETTINGS, replicaof: `127.0.0.1 ${link.port}` } });
  const deadline = performance.now() + FLEET.replicaMs;
  while (!(await ask(replica.url, (redis) => redis.info('replication'))).includes('master_link_status:up')) {
    if (performance.now() > deadline) throw new Error(`The replica had not caught up after ${FLEET.replicaMs} ms.`);
    await pause(20);
  }
  return replica;
}

async function ask<T>(url: string, question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url);
  try {
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}
