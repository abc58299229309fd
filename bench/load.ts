import { Pool, type Dispatcher } from 'undici';
import { seededRandom } from '../src/util/random.js';
import { latencyOf, makeHistogram, record, type Latency } from './latency.js';
import { pace } from './pace.js';
import { PushLoad, type PushPlan, type PushResult } from './push-load.js';
import { SocketLoad, type SocketPlan, type SocketResult } from './socket-load.js';
import { makeWorkload, type WorkloadName } from './workloads.js';

/**
 * The load, in a process of its own: `plan` messages in, `result` messages out.
 *
 * Closed loop: every connection sends its next request when it has the reply to the last: the most a server does.
 * Open loop: requests are due at fixed, even intervals whatever the server does, and each one's time counts from when
 * it was due, not from when it could be sent. A server that stops for a while so pays for everybody who waited: this
 * is what correcting for coordinated omission is after (G. Tene), done by measuring instead of estimating.
 */
export interface LoadPlan {
  readonly kind: 'http';
  readonly url: string;
  readonly workload: WorkloadName;
  readonly items: number;
  readonly profiles: number;
  readonly run: string;
  readonly seed: number;
  readonly connections: number;
  /** Requests a second; undefined: a closed loop. */
  readonly rate: number | undefined;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

export interface LoadResult {
  /** Replies within the measured time. */
  readonly replies: number;
  readonly seconds: number;
  /** Replies a second. */
  readonly throughput: number;
  readonly latency: Latency;
  readonly errors: number;
  /** One of them, in words. */
  readonly error: string | undefined;
  /** Mean bytes of a reply's body. */
  readonly replyBytes: number;
}

export type LoadMessage = { readonly plan: LoadPlan | SocketPlan | PushPlan } | { readonly result: LoadResult | SocketResult | PushResult } | { readonly failed: string };

/** Time that late replies get after the last request was due, ms. */
const DRAIN_MS = 10_000;

class Load {
  readonly #plan: LoadPlan;
  readonly #pool: Pool;
  readonly #histogram = makeHistogram();
  readonly #next: () => string;
  readonly #path: string;
  readonly #badSign: string | undefined;
  #from = 0;
  #until = 0;
  #replies = 0;
  #bytes = 0;
  #underWay = 0;
  #errors = 0;
  #error: string | undefined;
  #onReply: (() => void) | undefined;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    const workload = makeWorkload(plan.workload, { ...plan, random: seededRandom(plan.seed) });
    this.#next = workload.body;
    this.#path = workload.path;
    this.#badSign = workload.badSign;
    this.#pool = new Pool(plan.url, { connections: plan.connections, pipelining: 1, keepAliveTimeout: 60_000 });
  }

  async run(): Promise<LoadResult> {
    const { rate, warmupSeconds, seconds } = this.#plan;
    const startedAt = performance.now();
    this.#from = startedAt + warmupSeconds * 1000;
    this.#until = this.#from + seconds * 1000;
    await (rate === undefined ? this.#closed() : this.#open(startedAt, rate));
    await this.#pool.destroy();
    return {
      replies: this.#replies, seconds, throughput: this.#replies / seconds, latency: latencyOf(this.#histogram),
      errors: this.#errors, error: this.#error, replyBytes: Math.round(this.#bytes / Math.max(1, this.#replies)),
    };
  }

  #closed(): Promise<void> {
    return new Promise((resolve) => {
      this.#onReply = () => {
        const now = performance.now();
        if (now < this.#until) this.#send(now);
        else if (this.#underWay === 0) resolve();
      };
      for (let i = 0; i < this.#plan.connections; i++) this.#send(performance.now());
    });
  }

  async #open(startedAt: number, rate: number): Promise<void> {
    const total = Math.floor(((this.#until - startedAt) / 1000) * rate);
    await pace({ startedAt, rate, total }, (_index, dueAt) => { this.#send(dueAt); });
    const deadline = performance.now() + DRAIN_MS;
    while (this.#underWay > 0 && performance.now() < deadline) await new Promise((resolve) => { setTimeout(resolve, 5); });
    // Whoever has no reply by now waited at least this long.
    for (; this.#underWay > 0; this.#underWay--) {
      record(this.#histogram, DRAIN_MS);
      this.#fail(`no reply ${DRAIN_MS} ms after the end`);
    }
  }

  /** @param dueAt when the request was to be sent, in `performance.now()` time */
  #send(dueAt: number): void {
    this.#underWay += 1;
    let status = 0;
    let bytes = 0;
    let bad: string | undefined;
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: () => { /* nothing to prepare */ },
      onResponseStart: (_controller, statusCode) => { status = statusCode; },
      onResponseData: (_controller, chunk: Buffer) => {
        bytes += chunk.length;
        if (status !== 200 || (this.#badSign !== undefined && chunk.includes(this.#badSign))) bad = `${status} ${chunk.toString('utf8', 0, 300)}`;
      },
      onResponseEnd: () => { this.#done(dueAt, bytes, status === 200 ? bad : bad ?? String(status)); },
      onResponseError: (_controller, error) => { this.#done(dueAt, bytes, error.message); },
    };
    this.#pool.dispatch({ path: this.#path, method: 'POST', headers: HEADERS, body: this.#next() }, handler);
  }

  #done(dueAt: number, bytes: number, bad: string | undefined): void {
    const now = performance.now();
    this.#underWay -= 1;
    if (bad !== undefined) this.#fail(bad);
    // Throughput is what came back within the time; latency is that of what was due within it.
    if (now >= this.#from && now < this.#until) {
      this.#replies += 1;
      this.#bytes += bytes;
    }
    if (dueAt >= this.#from) record(this.#histogram, now - dueAt);
    this.#onReply?.();
  }

  #fail(error: string): void {
    this.#errors += 1;
    this.#error ??= error;
  }
}

const HEADERS = { 'content-type': 'application/json' } as const;

process.on('message', (message: LoadMessage) => {
  if (!('plan' in message)) return;
  const { plan } = message;
  const running: Promise<LoadResult | SocketResult | PushResult> = (plan.kind === 'http' ? new Load(plan) : plan.kind === 'socket' ? new SocketLoad(plan) : new PushLoad(plan)).run();
  running.then(
    (result) => process.send?.({ result } satisfies LoadMessage),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? error.stack ?? error.message : String(error) } satisfies LoadMessage),
  );
});
process.on('disconnect', () => { process.exit(0); });
