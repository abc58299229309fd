import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startRedis, type TestRedis } from '../test/helpers/redis.js';
import { startEngine, type Engine } from '../test/helpers/engine.js';
import { Child } from './child.js';
import type { IngestFloorPlan, IngestFloorResult } from './ingest-floor.js';
import type { LoadMessage, LoadPlan, LoadResult } from './load.js';
import { CANDIDATES, type Size } from './sizes.js';
import { writeResponseModel } from './offers.js';
import type { PushPlan, PushResult } from './push-load.js';
import type { SocketPlan, SocketResult } from './socket-load.js';
import { PREFIX, fillStore, trimStreams, type StoreFacts } from './store.js';
import type { WorkloadName } from './workloads.js';

const MODEL_DIR = join(import.meta.dirname, '..', '..', 'models', 'default');

export interface HttpLoad {
  readonly connections: number;
  /** Requests a second; undefined: as many as it takes. */
  readonly rate?: number | undefined;
  readonly seconds?: number;
}

export interface Measured extends LoadResult {
  /** CPU time of the server process per reply, µs. */
  readonly cpuMicroseconds: number;
}

type FloorChild = Child<object, { url: string } | { cpuSeconds: number }>;
type LoadChild = Child<LoadMessage, LoadMessage>;

interface Parts {
  readonly size: Size;
  readonly redis: TestRedis;
  readonly engine: Engine;
  readonly floor: FloorChild;
  readonly floorUrl: string;
  readonly load: LoadChild;
  readonly store: StoreFacts;
  readonly responseModelDir: string;
}

/** Everything that runs: a Redis, the engine, the floors, the load, each a process of its own. */
export class Rig {
  readonly #parts: Parts;
  #runs = 0;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @param nodeArgs options of Node for the engine, e.g. to profile it */
  static async start(size: Size, nodeArgs: readonly string[] = []): Promise<Rig> {
    const redis = await startRedis();
    const responseModelDir = await writeResponseModel();
    let engine: Engine | undefined;
    const children: { stop(): void }[] = [];
    try {
      engine = await startEngine({ redis, nodeArgs, env: { KEY_PREFIX: PREFIX, MODEL_DIR, RESPONSE_MODEL_DIR: responseModelDir, CANDIDATES_MAX: String(CANDIDATES), RECOMMEND_DEADLINE_MS: String(size.deadlineMs), DECISION_DEADLINE_MS: String(size.deadlineMs), CONTACTS_PER_DAY_MAX: '0', CONTACTS_PER_WEEK_MAX: '0' } });
      const store = await fillStore(engine, size, Date.now());
      const floor: FloorChild = new Child('floor.js', [redis.url, MODEL_DIR, PREFIX]);
      children.push(floor);
      const load: LoadChild = new Child('load.js');
      children.push(load);
      const hello = await floor.hear();
      return new Rig({ size, redis, engine, floor, load, store, responseModelDir, floorUrl: 'url' in hello ? hello.url : '' });
    } catch (error) {
      for (const child of children) child.stop();
      await engine?.stop();
      await redis.stop();
      await rm(responseModelDir, { recursive: true, force: true });
      throw error;
    }
  }

  get store(): StoreFacts {
    return this.#parts.store;
  }

  async http(workload: WorkloadName, { connections, rate, seconds }: HttpLoad): Promise<Measured> {
    const isFloor = workload === 'floor';
    const cpu = (): Promise<number> => (isFloor ? this.#floorCpu() : this.#engineCpu());
    const before = await cpu();
    const result = await this.#ask({
      kind: 'http', url: isFloor ? this.#parts.floorUrl : this.#parts.engine.url, workload, items: this.#parts.size.items, profiles: this.#parts.size.profiles,
      ...this.#newRun(), connections, rate, warmupSeconds: this.#parts.size.warmupSeconds, seconds: seconds ?? this.#parts.size.seconds,
    }) as LoadResult;
    const used = await cpu() - before;
    // The warm-up's replies are not counted, its time is: taken as spent evenly.
    const share = result.seconds / (result.seconds + this.#parts.size.warmupSeconds);
    if (!isFloor) await trimStreams(this.#parts.engine);
    return { ...result, cpuMicroseconds: (used * share * 1e6) / Math.max(1, result.replies) };
  }

  async socket(): Promise<SocketResult> {
    const { items, sockets, socketRate, warmupSeconds, seconds } = this.#parts.size;
    return await this.#ask({
      kind: 'socket', url: this.#parts.engine.url, items, ...this.#newRun(), sockets, rate: socketRate, warmupSeconds, seconds,
    }) as SocketResult;
  }

  async push(): Promise<PushResult> {
    const { sockets, socketRate, warmupSeconds, seconds } = this.#parts.size;
    const { run } = this.#newRun();
    return await this.#ask({
      kind: 'push', url: this.#parts.engine.url, redisUrl: this.#parts.redis.url, run, sockets, rate: socketRate, warmupSeconds, seconds,
    }) as PushResult;
  }

  async ingestFloor(eventBytes: number): Promise<IngestFloorResult> {
    const child = new Child<IngestFloorPlan, IngestFloorResult>('ingest-floor.js', [this.#parts.redis.url]);
    try {
      const { profiles, batchConnections, warmupSeconds, seconds } = this.#parts.size;
      return await child.ask({ profiles, profileBytes: this.store.profileBytesMedian, eventBytes, lanes: batchConnections, warmupSeconds, seconds });
    } finally {
      child.stop();
    }
  }

  async stop(): Promise<void> {
    this.#parts.load.stop();
    this.#parts.floor.stop();
    await this.#parts.engine.kill('SIGTERM');
    await this.#parts.engine.stop();
    await this.#parts.redis.stop();
    await rm(this.#parts.responseModelDir, { recursive: true, force: true });
  }

  #newRun(): { run: string; seed: number } {
    this.#runs += 1;
    return { run: `bench-${this.#runs}`, seed: this.#runs };
  }

  async #ask(plan: LoadPlan | SocketPlan | PushPlan): Promise<LoadResult | SocketResult | PushResult> {
    const answer = await this.#parts.load.ask({ plan });
    if ('failed' in answer) throw new Error(answer.failed);
    if ('plan' in answer) throw new Error('The load gave no result.');
    return answer.result;
  }

  async #floorCpu(): Promise<number> {
    const answer = await this.#parts.floor.ask({});
    return 'cpuSeconds' in answer ? answer.cpuSeconds : 0;
  }

  async #engineCpu(): Promise<number> {
    const text = await (await fetch(`${this.#parts.engine.url}/metrics`)).text();
    return Number(/^process_cpu_seconds_total (\S+)/mu.exec(text)?.[1]);
  }
}
