import { startEngine, type Engine } from '../../test/helpers/engine.js';
import { startRedis, type TestRedis } from '../../test/helpers/redis.js';
import { askPatiently, type AskedOfEngine } from './ask-engine.js';
import { childrenOf, cpuSeconds, settingOf } from './processes.js';
import type { Address } from './raw-socket.js';

export interface LiveFleetOptions {
  /** Api processes; they share a port. */
  readonly apis: number;
  /** Also a worker. Default: none. */
  readonly hasWorker?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
}

/** CPU time used so far, s. */
export interface CpuUsed {
  readonly apis: number;
  readonly redis: number;
  /** This process: the load client. */
  readonly client: number;
}

/** Of the engine's last words, where a run failed. */
const OUTPUT_CHARS = 2000;

/** Starts a fleet for a run and ends it, however that goes. @throws what the run throws, with the engine's last words */
export async function withFleet<Result>(options: LiveFleetOptions, run: (fleet: LiveFleet) => Promise<Result>): Promise<Result> {
  const fleet = await LiveFleet.start(options);
  try {
    return await run(fleet);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\nThe engine's last words:\n${fleet.engine.output().slice(-OUTPUT_CHARS)}`, { cause: error });
  } finally {
    await fleet.stop();
  }
}

/** Commands are given up by the engine after this, ms: a full load on two cores is no outage. */
const REDIS_TIMEOUT_MS = 5000;
/** No shopper is spared anything, nobody is held back: all of them are to be served, round after round. */
const SETTINGS = { REDIS_TIMEOUT_MS: String(REDIS_TIMEOUT_MS), CONTACTS_PER_DAY_MAX: '0', CONTACTS_PER_WEEK_MAX: '0', CLAIMS_PER_MINUTE: '', LOG_LEVEL: 'error', TRAIN_EVERY_S: '0' };

/** A store this small would rewrite its append-only file every few seconds, a large one does every few hours. */
const REDIS_SETTINGS = { 'auto-aof-rewrite-min-size': '1gb' };

/** A Redis with an append-only file and an engine of several processes before it, as an operator runs them. */
export class LiveFleet {
  readonly redis: TestRedis;
  readonly engine: Engine;
  readonly #isProfiled: boolean;

  private constructor(redis: TestRedis, engine: Engine, isProfiled: boolean) {
    this.redis = redis;
    this.engine = engine;
    this.#isProfiled = isProfiled;
  }

  static async start({ apis, hasWorker = false, env = {}, nodeArgs = [] }: LiveFleetOptions): Promise<LiveFleet> {
    const redis = await startRedis({ appendOnly: true, settings: REDIS_SETTINGS });
    try {
      const engine = await startEngine({ redis, role: hasWorker ? 'both' : 'api', env: { ...SETTINGS, API_PROCESSES: String(apis), ...env }, nodeArgs });
      return new LiveFleet(redis, engine, nodeArgs.includes('--cpu-prof'));
    } catch (error) {
      await redis.stop();
      throw error;
    }
  }

  /** Where sockets are opened. */
  get address(): Address {
    const { hostname, port } = new URL(this.engine.url);
    return { host: hostname, port: Number(port) };
  }

  /** Ids of the api processes that there are now. */
  get apiPids(): readonly number[] {
    const children = childrenOf(this.engine.pid).filter((pid) => settingOf(pid, 'NODE_UNIQUE_ID') !== undefined);
    // One alone has no primary.
    return children.length === 0 ? [this.engine.pid] : children;
  }

  get workerPids(): readonly number[] {
    return childrenOf(this.engine.pid).filter((pid) => settingOf(pid, 'ROLE') === 'worker');
  }

  cpu(): CpuUsed {
    return {
      apis: this.apiPids.reduce((sum, pid) => sum + cpuSeconds(pid), 0), redis: cpuSeconds(this.redis.pid), client: cpuSeconds(process.pid),
    };
  }

  ask(...request: AskedOfEngine): Promise<unknown> {
    return askPatiently(this.engine.url, ...request);
  }

  /** Ends all; orderly where profiles are to be written. */
  async stop(): Promise<void> {
    if (this.#isProfiled) await this.engine.kill('SIGTERM');
    await this.engine.stop();
    await this.redis.stop();
  }
}
