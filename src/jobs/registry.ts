import { Queue, Worker, type Job } from 'bullmq';
import type { Logger } from 'pino';
import { AppError } from '../errors.js';
import type { RedisClient } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import { Lease } from '../redis/lease.js';
import { LATE, within } from '../util/deadline.js';
import { pause } from '../util/pause.js';

const QUEUE = 'jobs';

export const REGISTRY_LIMITS = {
  /** Jobs under way at once in a worker; heavy work runs in a process of its own. */
  concurrency: 16,
  completedKept: 200, failedKept: 1000,
  /** Nor is a job that is done remembered longer than this, s. */
  completedKeptS: 3600,
  /** Ids looked at by one command when a shopper is forgotten. */
  scanned: 1000,
  attempts: 5,
  /** Pause before another try: doubles from this, ms. */
  backoffMs: 1000,
  /** A job whose worker does not renew its lock this long is given to another, ms. */
  lockMs: 30_000, stalledEveryMs: 15_000,
  /** Workers that may die over a job before it counts as failed. */
  stalledMax: 5,
  /** An `add` without an answer by then is unknown, ms. */
  addMs: 2000,
  leaseMs: 30_000, leaseEveryMs: 10_000, leaseRetryMs: 500,
  /** At the end running jobs get this long; without any, the goodbye to Redis, ms. */
  closeMs: 10_000, closeIdleMs: 2000,
} as const;

/**
 * Does one job. Idempotent: it may run again after a failure or a crash. The signal says that the worker stops;
 * `isLastTry`, that it does not run again if this fails.
 */
export type Processor = (data: unknown, signal: AbortSignal, isLastTry: boolean) => Promise<void>;
export type Processors = Readonly<Record<string, Processor>>;

export interface AddOptions {
  readonly delayMs?: number;
  /**
   * Names the job: while one of this id waits, runs, or is remembered (the last 200 done, 1,000 failed), another is not
   * added. What makes two jobs different belongs into it; of a job about a shopper (`shopper` of its data) they, too.
   */
  readonly jobId?: string;
  readonly attempts?: number;
  /** Pause before the second try, ms; it doubles. */
  readonly backoffMs?: number;
}

interface RegistryOptions {
  /** Makes a connection that waits for Redis to come back (purpose `listening`). */
  readonly connect: () => RedisClient;
  readonly keys: Keys;
  readonly log: Logger;
  /** Work that waits for others' servers has a queue of its own, so that it holds up nothing else. Default `jobs`. */
  readonly queue?: string;
  readonly lockMs?: number;
  readonly stalledEveryMs?: number;
}

interface Schedule {
  readonly name: string;
  /** 0: never. */
  readonly everyMs: number;
  /** The first time is one interval away, not now. */
  readonly startsLater?: boolean;
}

/** A queue of jobs: any process adds, workers run, one of them holds the schedule. */
export class JobRegistry {
  readonly #options: RegistryOptions;
  readonly #connection: RedisClient;
  /** Connections that BullMQ makes of ours. */
  readonly #duplicates: RedisClient[] = [];
  readonly #queue: Queue;
  readonly #stopping = new AbortController();
  #worker: Worker | undefined;
  #scheduling: Promise<void> | undefined;
  #active = 0;
  readonly counts = { done: 0, failed: 0, stalled: 0 };

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#connection = options.connect();
    noteDuplicates(this.#connection, this.#duplicates);
    this.#queue = new Queue(options.queue ?? QUEUE, {
      connection: this.#connection,
      prefix: options.keys.queues,
      defaultJobOptions: {
        attempts: REGISTRY_LIMITS.attempts,
        backoff: { type: 'exponential', delay: REGISTRY_LIMITS.backoffMs },
        removeOnComplete: { count: REGISTRY_LIMITS.completedKept, age: REGISTRY_LIMITS.completedKeptS },
        removeOnFail: { count: REGISTRY_LIMITS.failedKept },
      },
    });
    this.#queue.on('error', () => { /* Reconnecting is under way. */ });
  }

  /** @throws AppError `store_unavailable` when Redis does not answer; it may then still have been added */
  async add(name: string, data: unknown, { delayMs, jobId, attempts, backoffMs }: AddOptions = {}): Promise<void> {
    const added = this.#queue.add(name, data, {
      ...(delayMs === undefined ? {} : { delay: delayMs }),
      ...(jobId === undefined ? {} : { jobId: queueId(jobId) }),
      ...(attempts === undefined ? {} : { attempts }),
      ...(backoffMs === undefined ? {} : { backoff: { type: 'exponential', delay: backoffMs } }),
    });
    added.catch(() => { /* Told below, unless it came too late. */ });
    if ((await within(added, REGISTRY_LIMITS.addMs)) === LATE) throw new AppError('store_unavailable', `Job ${name} could not be queued in time.`);
  }

  /** Removes the jobs about an erased shopper that wait for their time, or are remembered. One that runs meanwhile finds nobody. */
  async forget(shopper: string): Promise<void> {
    const queue = this.#queue;
    // Nothing else that such an id contains means anything to MATCH.
    const pattern = `*${encodeURIComponent(shopper).replaceAll('*', String.raw`\*`)}*`;
    for (const set of ['delayed', 'completed', 'failed'].map((state) => queue.toKey(state))) {
      let cursor = '0';
      do {
        const [next, found] = await this.#connection.zscan(set, cursor, 'MATCH', pattern, 'COUNT', REGISTRY_LIMITS.scanned);
        for (const id of found.filter((_, i) => i % 2 === 0)) {
          const job = await queue.getJob(id) as Job<{ readonly shopper?: string }> | undefined;
          if (job?.data.shopper === shopper) await queue.remove(id);
        }
        cursor = next;
      } while (cursor !== '0');
    }
    // What has happened to which job: nobody reads it.
    await this.#connection.del(queue.toKey('events'));
  }

  /** Runs jobs by name from here on. A name nobody knows fails, and is tried again later: by a newer worker, perhaps. */
  start(processors: Processors): void {
    const worker = new Worker(this.#queue.name, (job) => this.#run(job, processors), {
      connection: this.#connection,
      prefix: this.#options.keys.queues,
      concurrency: REGISTRY_LIMITS.concurrency,
      lockDuration: this.#options.lockMs ?? REGISTRY_LIMITS.lockMs,
      stalledInterval: this.#options.stalledEveryMs ?? REGISTRY_LIMITS.stalledEveryMs,
      maxStalledCount: REGISTRY_LIMITS.stalledMax,
    });
    worker.on('error', (error) => { this.#options.log.debug({ err: error }, 'job worker'); });
    worker.on('failed', (job, error) => {
      this.counts.failed += 1;
      this.#options.log.warn({ err: error, job: job?.name, id: job?.id, attempts: job?.attemptsMade }, 'job failed');
    });
    worker.on('completed', () => { this.counts.done += 1; });
    worker.on('stalled', (id) => {
      this.counts.stalled += 1;
      this.#options.log.warn({ id }, 'job resumed after its worker fell silent');
    });
    this.#worker = worker;
  }

  /** Keeps the schedules while this process is the leader; one of all that call this is. */
  lead(schedules: readonly Schedule[], owner: string, redis: RedisClient): void {
    const lease = new Lease(redis, this.#options.keys.lock('scheduler'), owner);
    this.#scheduling ??= this.#lead(schedules, lease);
  }

  /** Resolves when the running jobs have ended or their time is up. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#scheduling;
    const closing = Promise.all([this.#worker?.close(), this.#queue.close()]);
    closing.catch(() => { /* The connections end below in any case. */ });
    await within(closing, this.#active > 0 ? REGISTRY_LIMITS.closeMs : REGISTRY_LIMITS.closeIdleMs);
    // While Redis is away BullMQ cannot say goodbye, and its connections would try for ever.
    for (const connection of [this.#connection, ...this.#duplicates]) connection.disconnect();
  }

  async #run(job: Job, processors: Processors): Promise<void> {
    const processor = Object.hasOwn(processors, job.name) ? processors[job.name] : undefined;
    if (processor === undefined) throw new Error(`No processor for job ${job.name}.`);
    this.#active += 1;
    try {
      await processor(job.data, this.#stopping.signal, job.attemptsMade + 1 >= (job.opts.attempts ?? 1));
    } finally {
      this.#active -= 1;
    }
  }

  async #lead(schedules: readonly Schedule[], lease: Lease): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let pauseMs: number = REGISTRY_LIMITS.leaseEveryMs;
      try {
        if (await lease.take(REGISTRY_LIMITS.leaseMs)) for (const schedule of schedules) await this.#schedule(schedule);
      } catch (error) {
        this.#options.log.debug({ err: error }, 'job schedule could not be checked');
        pauseMs = REGISTRY_LIMITS.leaseRetryMs;
      }
      await pause(pauseMs, signal);
    }
    await lease.release();
  }

  /** Looked at again and again, because an emptied Redis has no schedules. */
  async #schedule({ name, everyMs, startsLater = false }: Schedule): Promise<void> {
    const check = async (): Promise<void> => {
      const known = await this.#queue.getJobScheduler(name);
      if (everyMs === 0) {
        if (known !== undefined) await this.#queue.removeJobScheduler(name);
      } else if (known?.every !== everyMs) {
        const repeat = startsLater ? { every: everyMs, startDate: Date.now() + everyMs } : { every: everyMs };
        await this.#queue.upsertJobScheduler(name, repeat, { name, data: {} });
      }
    };
    if ((await within(check(), REGISTRY_LIMITS.addMs)) === LATE) throw new Error('Redis did not answer in time.');
  }
}

/** Notes what is made of a connection from here on. */
function noteDuplicates(connection: RedisClient, made: RedisClient[]): void {
  const duplicate = connection.duplicate.bind(connection) as (...options: unknown[]) => RedisClient;
  const noting = (...options: unknown[]): RedisClient => {
    const copy = duplicate(...options);
    made.push(copy);
    return copy;
  };
  connection.duplicate = noting as typeof connection.duplicate;
}

/** BullMQ takes neither colons nor whole numbers for an id. */
const queueId = (jobId: string): string => `id-${encodeURIComponent(jobId)}`;
