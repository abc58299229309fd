import type { CueInput } from '../../src/domain/cue.js';
import { connectRedis, untilReady, type RedisClient } from '../../src/redis/client.js';
import { pause } from '../../src/util/pause.js';
import { seededRandom, type Random } from '../../src/util/random.js';
import { median } from '../report.js';
import { itemId, shopperId } from '../workloads.js';
import { withFleet, type LiveFleet } from './fleet.js';
import { Host } from './host.js';
import { ladderOf } from './ladder.js';
import { handles, rssBytes } from './processes.js';
import { scenario, type Outcome, type Tools } from './scenario.js';
import { COLLECTING, settledMemory, type Settled } from './settled-memory.js';
import { fitLine } from './slope.js';
import { fillLiveStore, launchOffers, openRoom } from './store.js';
import { Swarm } from './swarm.js';
import type { Viewer } from './viewer.js';

/**
 * Rates are over all viewers. The first minutes are not judged: caches and profiles fill, code is compiled, logs and marks reach the age at
 * which they expire. So that they do within minutes and not hours, traffic is `warmupTimes` as high then (but pins: a room has 1,000 cues).
 */
const SIZE = { sockets: 1000, warmupMinutes: 15, warmupTimes: 8, minutes: 60, seconds: 0, likesPerMinute: 3000, commentsPerMinute: 300, leavesPerMinute: 120, pinEveryS: 5, ladderEveryS: 300, sampleEveryS: 10, items: 500, histories: 500, apis: 2 };
type Size = typeof SIZE;

const RUN = {
  room: 'stage',
  connectMs: 120_000,
  /** A shorter run is not judged: its slopes are noise. */
  judgedFromMinutes: 30,
  /** Growth that counts as one, %/h of memory, and parts of handles and keys. */
  rssPercentMax: 1,
  growthShareMax: 0.01,
  /** Handles come and go with viewers. */
  handlesSpare: 10,
  ladderS: 60,
  /** One shopper's claims of a ladder's offer: it comes again and again. */
  perUserMax: 10_000,
  claimTtlS: 120,
} as const;
/** Of the space for young objects V8 keeps up to 192 MB, or gives it back some seconds later: a leak would not be seen beside it. */
const SMALL_NURSERY = ['--max-semi-space-size=2'];
const COMMENTS = ['how much is it?', '太好看了', 'does it come in blue', '多少钱', 'too expensive', '喜欢'];

/** What is looked at every few seconds. */
interface Sample {
  readonly atS: number;
  /** By process: the apis, then the worker. */
  readonly rss: readonly number[];
  /** What they hold. */
  readonly settled: readonly Settled[];
  readonly handles: readonly number[];
  readonly keys: number;
  readonly redisBytes: number;
}

export const soak = scenario('steady traffic for an hour: memory, handles and keys stand still', SIZE, async (size: Size, tools: Tools): Promise<Outcome> => {
  return await withFleet({ apis: size.apis, hasWorker: true, nodeArgs: [...tools.nodeArgs, ...COLLECTING, ...SMALL_NURSERY] }, async (fleet) => {
    await fillLiveStore(fleet, { ...size, viewers: size.sockets });
    await openRoom(fleet, RUN.room);
    const redis = connectRedis(fleet.redis.url, 'commands', { timeoutMs: 30_000, name: 'bench' });
    const run = new Soak(fleet, redis, size, tools);
    try {
      await untilReady(redis, 10_000);
      return await run.run();
    } finally {
      run.end();
      redis.disconnect();
    }
  });
});

class Soak {
  readonly #fleet: LiveFleet;
  readonly #redis: RedisClient;
  readonly #size: Size;
  readonly #tools: Tools;
  readonly #random: Random;
  readonly #swarm: Swarm;
  readonly #host: Host;
  readonly #samples: Sample[] = [];
  readonly #faults: string[] = [];
  #frames = 0;

  constructor(fleet: LiveFleet, redis: RedisClient, size: Size, tools: Tools) {
    this.#fleet = fleet;
    this.#redis = redis;
    this.#size = size;
    this.#tools = tools;
    this.#random = seededRandom(tools.seed);
    this.#host = new Host({ url: fleet.engine.url, room: RUN.room, products: [] });
    this.#swarm = new Swarm({
      viewers: size.sockets, addresses: [fleet.address], userIdOf: shopperId, channelsOf: (index) => [`user:${shopperId(index)}`, `room:${RUN.room}`],
      random: seededRandom(tools.seed + 1), onFrame: () => { this.#frames += 1; },
    });
  }

  async run(): Promise<Outcome> {
    const { sockets, warmupMinutes, warmupTimes, minutes, seconds, likesPerMinute, commentsPerMinute, leavesPerMinute, pinEveryS, ladderEveryS, sampleEveryS } = this.#size;
    const ladder = ladderOf('soak', sockets, false).map((offer) => ({ ...offer, claimTtlS: RUN.claimTtlS, budget: { count: 1e8, moneyMinor: 1e11 }, caps: { perUser: RUN.perUserMax } }));
    await launchOffers(this.#fleet, ladder);
    await this.#swarm.open(RUN.connectMs);
    this.#tools.say(`${sockets} viewers are there; ${warmupMinutes} minutes of ${warmupTimes} times the traffic to warm up and ${minutes} minutes ${seconds} s begin …`);
    const startedAt = performance.now();
    const endsAt = startedAt + ((warmupMinutes + minutes) * 60 + seconds) * 1000;
    const paced = (ms: number): () => number => () => (performance.now() - startedAt < warmupMinutes * 60_000 ? ms / warmupTimes : ms);
    let pins = 0;
    await Promise.all([
      this.#every(paced(60_000 / likesPerMinute), endsAt, () => { this.#someone().send(`{"type":"interact","roomId":"${RUN.room}","action":"like"}`); }),
      this.#every(paced(60_000 / commentsPerMinute), endsAt, () => { this.#someone().send(JSON.stringify({ type: 'interact', roomId: RUN.room, action: 'comment', text: COMMENTS[Math.floor(this.#random() * COMMENTS.length)] })); }),
      this.#every(paced(60_000 / leavesPerMinute), endsAt, () => { this.#someone().socket?.destroy(); }),
      this.#every(() => pinEveryS * 1000, endsAt, () => this.#cue({ kind: 'pin', itemId: itemId(pins++ % 10) })),
      this.#every(paced(ladderEveryS * 1000), endsAt, () => this.#cue({ kind: 'coupon_ladder', offerIds: ladder.map(({ id }) => id), durationS: RUN.ladderS })),
      this.#every(() => sampleEveryS * 1000, endsAt, () => this.#sample((performance.now() - startedAt) / 1000)),
    ]);
    return this.#outcome();
  }

  end(): void {
    this.#swarm.end();
  }

  async #every(pauseMs: () => number, endsAt: number, act: () => Promise<void> | void): Promise<void> {
    for (let at = performance.now(); performance.now() < endsAt;) {
      await act();
      at += pauseMs();
      await pause(Math.min(at, endsAt) - performance.now());
    }
  }

  #someone(): Viewer {
    return this.#swarm.viewers[Math.floor(this.#random() * this.#swarm.viewers.length)]!;
  }

  async #cue(cue: CueInput): Promise<void> {
    await this.#host.play(cue).catch((error: unknown) => { this.#faults.push(String(error)); });
  }

  async #sample(atS: number): Promise<void> {
    const pids = [...this.#fleet.apiPids, ...this.#fleet.workerPids];
    const memory = await this.#redis.info('memory');
    const sample = { atS, rss: pids.map(rssBytes), settled: await settledMemory(this.#fleet.engine, pids), handles: pids.map(handles), keys: await this.#redis.dbsize(), redisBytes: Number(/^used_memory:(\d+)/mu.exec(memory)?.[1]) };
    this.#samples.push(sample);
    if (this.#samples.length % 6 === 0) this.#tools.say(`${Math.round(atS)} s: RSS ${sample.rss.map(mib).join(' ')} MiB, settled ${sample.settled.map(({ bytes }) => mib(bytes)).join(' ')}, heap ${sample.settled.map(({ heapBytes }) => mib(heapBytes)).join(' ')}, buffers ${sample.settled.map(({ bufferBytes }) => mib(bufferBytes)).join(' ')}, handles ${sample.handles.join(' ')}, ${sample.keys} keys, Redis ${mib(sample.redisBytes)} MiB, ${this.#frames} frames`);
  }

  #outcome(): Outcome {
    const { warmupMinutes, minutes } = this.#size;
    const { breaches, errors, resumes, closes } = this.#swarm;
    const broken = [...this.#faults.slice(0, 20), ...breaches.map(({ viewer, channel, rule, what }) => `${viewer} on ${channel}: ${rule}, ${what}`), ...[...errors].map(([text, times]) => `${times} × ${text}`)];
    const judged = this.#samples.filter(({ atS }) => atS >= warmupMinutes * 60);
    // Of the api processes each has the sockets that came to it, now more and now fewer: together they have all of them.
    const apis = this.#fleet.apiPids.length;
    const groups = [{ name: 'api processes', of: (each: readonly number[]) => sumOf(each.slice(0, apis)) }, { name: 'worker', of: (each: readonly number[]) => sumOf(each.slice(apis)) }];
    const grown = (read: (sample: Sample) => number): { from: number; to: number } => {
      const third = Math.ceil(judged.length / 3);
      return { from: median(judged.slice(0, third).map(read)), to: median(judged.slice(-third).map(read)) };
    };
    const lines = groups.map(({ name, of }) => {
      const { slope, mean } = fitLine(judged.map(({ atS, settled }) => ({ x: atS / 3600, y: of(settled.map(({ bytes }) => bytes)) })));
      const busy = sumOf(judged.map(({ rss }) => of(rss))) / judged.length;
      return { name, percentPerHour: (100 * slope) / mean, mean, busy, handles: grown((sample) => of(sample.handles)), heap: grown(({ settled }) => of(settled.map(({ heapBytes }) => heapBytes))), buffers: grown(({ settled }) => of(settled.map(({ bufferBytes }) => bufferBytes))) };
    });
    const keys = grown((sample) => sample.keys);
    const missed: string[] = [];
    if (minutes >= RUN.judgedFromMinutes) {
      for (const { name, percentPerHour, handles: { from, to } } of lines) {
        if (percentPerHour > RUN.rssPercentMax) missed.push(`${name}: memory grows by ${percentPerHour.toFixed(2)} %/h`);
        if (to > from * (1 + RUN.growthShareMax) + RUN.handlesSpare) missed.push(`${name}: handles grew from ${from} to ${to}`);
      }
      if (keys.to > keys.from * (1 + RUN.growthShareMax)) missed.push(`keys grew from ${keys.from} to ${keys.to}`);
    }
    const redis = grown((sample) => sample.redisBytes);
    return {
      measured: { lines, keys, redisBytes: redis, frames: this.#frames, cuesAgain: this.#host.again, resumes, closes: Object.fromEntries(closes), samples: this.#samples }, broken, missed,
      rows: [
        ['first third → last third', 'RSS, MiB', 'settled', 'its slope, %/h', 'heap', 'buffers', 'handles'],
        ...lines.map(({ name, percentPerHour, mean, busy, heap, buffers, handles }) =>
          [name, mib(busy), mib(mean), percentPerHour.toFixed(2), `${mib(heap.from)} → ${mib(heap.to)}`, `${mib(buffers.from)} → ${mib(buffers.to)}`, `${handles.from} → ${handles.to}`]),
        ['keys in Redis', '', '', '', '', '', `${keys.from} → ${keys.to}`],
        ['cues sent again, the engine being short of time', '', '', '', '', '', String(this.#host.again)],
        ['Redis itself', `${mib(redis.from)} → ${mib(redis.to)}`, '', '', '', '', ''],
      ],
    };
  }
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
