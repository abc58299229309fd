import { randomUUID } from 'node:crypto';
import { startEngine, type Engine } from '../../test/helpers/engine.js';
import { startRedis, type TestRedis } from '../../test/helpers/redis.js';
import { cpuSeconds } from './processes.js';
import type { Address } from './raw-socket.js';

export interface LiveFleetOptions {
  /** Api processes. */
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

/** Commands are given up by the engine after this, ms: a full load on two cores is no outage. */
const REDIS_TIMEOUT_MS = 5000;
/** No shopper is spared anything, nobody is held back: all of them are to be served, round after round. */
const SETTINGS = { REDIS_TIMEOUT_MS: String(REDIS_TIMEOUT_MS), CONTACTS_PER_DAY_MAX: '0', CONTACTS_PER_WEEK_MAX: '0', CLAIMS_PER_MINUTE: '', LOG_LEVEL: 'error', TRAIN_EVERY_S: '0' };

/** A Redis with an append-only file and several api processes before it, as an operator runs them. */
export class LiveFleet {
  readonly redis: TestRedis;
  readonly engines: readonly Engine[];
  readonly #worker: Engine | undefined;

  private constructor(redis: TestRedis, engines: readonly Engine[], worker: Engine | undefined) {
    this.redis = redis;
    this.engines = engines;
    this.#worker = worker;
  }

  static async start({ apis, hasWorker = false, env = {}, nodeArgs = [] }: LiveFleetOptions): Promise<LiveFleet> {
    const redis = await startRedis({ appendOnly: true });
    const engines: Engine[] = [];
    const launch = (role: 'api' | 'worker'): Promise<Engine> => startEngine({ redis, role, env: { ...SETTINGS, ...env }, nodeArgs });
    try {
      for (let index = 0; index < apis; index++) engines.push(await launch('api'));
      return new LiveFleet(redis, engines, hasWorker ? await launch('worker') : undefined);
    } catch (error) {
      await Promise.all(engines.map((engine) => engine.stop()));
      await redis.stop();
      throw error;
    }
  }

  /** Where sockets are opened, in turn. */
  get addresses(): readonly Address[] {
    return this.engines.map(({ url }) => {
      const { hostname, port } = new URL(url);
      return { host: hostname, port: Number(port) };
    });
  }

  /** Ids of the api processes. */
  get pids(): readonly number[] {
    return this.engines.map(({ pid }) => pid);
  }

  cpu(): CpuUsed {
    return {
      apis: this.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0), redis: cpuSeconds(this.redis.pid), client: cpuSeconds(process.pid),
    };
  }

  /** A request of the operator or the host; a POST has a new idempotency key. @throws what is wrong with it */
  async ask(method: 'GET' | 'POST' | 'PUT', path: string, body?: object): Promise<unknown> {
    const headers = { ...method === 'POST' ? { 'idempotency-key': randomUUID() } : {}, ...body === undefined ? {} : { 'content-type': 'application/json' } };
    const reply = await fetch(`${this.engines[0]!.url}${path}`, { method, headers, ...body === undefined ? {} : { body: JSON.stringify(body) } });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text.slice(0, 500)}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  /** Ends all; with a profile of each api process where one was asked for. */
  async stop(): Promise<void> {
    await Promise.all(this.engines.map(async (engine) => {
      if (engine.proc.spawnargs.includes('--cpu-prof')) await engine.kill('SIGTERM');
      await engine.stop();
    }));
    await this.#worker?.stop();
    await this.redis.stop();
  }
}
