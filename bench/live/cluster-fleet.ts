import { startEngine, type Engine } from '../../test/helpers/engine.js';
import { startRedisCluster, type TestCluster } from '../../test/helpers/redis-cluster.js';
import type { TestRedis } from '../../test/helpers/redis.js';
import { FLEET } from '../claims/fleet.js';
import { askEngine, type AskedOfEngine } from './ask-engine.js';

export interface ClusterFleetOptions {
  /** Api processes on one port; a worker is always there. */
  readonly apis: number;
  readonly nodeTimeoutMs: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
}

/** The engine before a Redis Cluster of six processes, claims handed out when a replica has them. */
export class ClusterFleet {
  readonly cluster: TestCluster;
  readonly engine: Engine;

  private constructor(cluster: TestCluster, engine: Engine) {
    this.cluster = cluster;
    this.engine = engine;
  }

  static async start({ apis, nodeTimeoutMs, env: more = {}, nodeArgs = [] }: ClusterFleetOptions): Promise<ClusterFleet> {
    const cluster = await startRedisCluster({ nodeTimeoutMs, appendOnly: true });
    const env = {
      REDIS_URL: cluster.url, KEY_PREFIX: FLEET.prefix, API_PROCESSES: String(apis), CLAIM_WAIT_REPLICAS: '1', CLAIMS_PER_MINUTE: '', TRAIN_EVERY_S: '0', LOG_LEVEL: 'error',
      // Where the machine is busy a list may take its time; a Redis that is away still takes longer.
      RECOMMEND_DEADLINE_MS: '500', CONTACTS_PER_DAY_MAX: '0', CONTACTS_PER_WEEK_MAX: '0', ...more,
    };
    try {
      return new ClusterFleet(cluster, await startEngine({ role: 'both', redis: cluster.nodes[0]!, env, nodeArgs }));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** @returns the first of `name0`, `name1`, … whose key lies on a node */
  async nameOn(node: TestRedis, name: string, keyOf: (name: string) => string): Promise<string> {
    const holderOf = await this.cluster.holders();
    for (let n = 0; ; n++) if (holderOf(keyOf(`${name}${n}`)) === node) return `${name}${n}`;
  }

  ask(...request: AskedOfEngine): Promise<unknown> {
    return askEngine(this.engine.url, ...request);
  }

  async stop(): Promise<void> {
    await this.engine.stop();
    await this.cluster.stop();
  }
}
