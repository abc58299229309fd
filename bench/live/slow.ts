import { pause } from '../../src/util/pause.js';
import { seededRandom } from '../../src/util/random.js';
import type { Histogram } from 'hdr-histogram-js';
import { latencyOf, makeHistogram, record, type Latency } from '../latency.js';
import { median } from '../report.js';
import { shopperId } from '../workloads.js';
import { withFleet, type LiveFleet } from './fleet.js';
import { Publisher } from './publisher.js';
import { scenario, type Outcome, type Tools } from './scenario.js';
import { openRoom } from './store.js';
import { Swarm } from './swarm.js';
import { TcpWatch } from './tcp-watch.js';

const SIZE = { readers: 200, stalled: 20, warmups: 1, rounds: 6, seconds: 8, frameRate: 50, lightBytes: 100, heavyBytes: 8000, apis: 2 };
type Size = typeof SIZE;

const RUN = {
  room: 'stage',
  connectMs: 60_000,
  /** A client that stops reading is let go by then, ms; one that is not after the longer time never will be. */
  closedWithinMs: 10_000, neverMs: 40_000,
  /** Of the others' p99. */
  riseMax: 1.1,
  /** How often the system is asked who is still held, ms. */
  lookEveryMs: 200,
  /** What comes later than this after the last frame is not counted, ms. */
  lateMs: 500,
  /** Time that those who were let go get to come back, ms. */
  backMs: 60_000,
} as const;
const WEIGHTS = ['light', 'heavy'] as const;

/** One stretch of frames to a room. */
interface Stretch {
  readonly weight: (typeof WEIGHTS)[number];
  readonly hasStalled: boolean;
  /** From publishing a frame until a reader has it, ms, by second: of a machine that is busy otherwise the median second tells, the whole does not. */
  readonly seconds: readonly Latency[];
  /** From when clients stopped reading until the engine had let go of them, ms. */
  readonly closedMs: readonly number[];
}

export const slow = scenario('clients that stop reading are let go, and nobody else notices', SIZE, async (size: Size, tools: Tools): Promise<Outcome> => {
  return await withFleet({ apis: size.apis, nodeArgs: tools.nodeArgs }, async (fleet) => {
    await openRoom(fleet, RUN.room);
    const run = new SlowRun(fleet, await Publisher.connect(fleet.redis.url), size, tools);
    try {
      return await run.run();
    } finally {
      await run.end();
    }
  });
});

class SlowRun {
  readonly #size: Size;
  readonly #tools: Tools;
  readonly #publisher: Publisher;
  readonly #readers: Swarm;
  readonly #stalled: Swarm;
  readonly #watch: TcpWatch;
  /** Ports of clients who stopped reading and are not let go yet. */
  #held = new Set<number>();
  #onLetGo: (count: number) => void = () => { /* Nobody is held. */ };
  readonly #broken: string[] = [];
  readonly #missed: string[] = [];
  /** When the frame of each count was published, ms, and the second it is of. */
  readonly #sent = new Map<number, { readonly at: number; readonly second: Histogram }>();

  constructor(fleet: LiveFleet, publisher: Publisher, size: Size, tools: Tools) {
    this.#size = size;
    this.#tools = tools;
    this.#publisher = publisher;
    // With stalled clients and without: what looking costs is the same.
    this.#watch = new TcpWatch(fleet.address.port, RUN.lookEveryMs, (held) => {
      const before = this.#held.size;
      for (const port of this.#held) if (!held.has(port)) this.#held.delete(port);
      if (this.#held.size < before) this.#onLetGo(before - this.#held.size);
    });
    const channelsOf = (index: number, from: number): string[] => [`user:${shopperId(from + index)}`, `room:${RUN.room}`];
    const shared = { addresses: [fleet.address], random: seededRandom(tools.seed) };
    this.#readers = new Swarm({
      ...shared, viewers: size.readers, userIdOf: shopperId, channelsOf: (index) => channelsOf(index, 0),
      onFrame: (_viewer, head, frame, at) => {
        const sent = this.#sent.get(publisher.check(head, frame));
        if (sent !== undefined) record(sent.second, at - sent.at);
      },
    });
    this.#stalled = new Swarm({ ...shared, viewers: size.stalled, userIdOf: (index) => shopperId(size.readers + index), channelsOf: (index) => channelsOf(index, size.readers) });
  }

  async run(): Promise<Outcome> {
    await this.#readers.open(RUN.connectMs);
    await this.#stalled.open(RUN.connectMs);
    const stretches: Stretch[] = [];
    // Warm-up rounds are not counted. With and without follow each other, in every other round the other way round.
    const { warmups, rounds } = this.#size;
    for (let round = 0; round < warmups + rounds; round++) {
      const turns = this.#weights.flatMap((weight) => [{ weight, hasStalled: false }, { weight, hasStalled: true }]);
      for (const turn of round % 2 === 0 ? turns : turns.toReversed()) {
        const stretch = await this.#stretch(turn);
        if (round >= warmups) stretches.push(stretch);
        this.#tools.say(`round ${round}, ${turn.weight}: p99 ${median(stretch.seconds.map(({ p99 }) => p99)).toFixed(1)} ms${turn.hasStalled ? `; let go after ${Math.max(0, ...stretch.closedMs).toFixed(0)} ms at most` : ''}`);
      }
    }
    for (const swarm of [this.#readers, this.#stalled]) {
      for (const { viewer, channel, rule, what } of swarm.breaches) this.#broken.push(`${viewer} on ${channel}: ${rule}, ${what}`);
    }
    for (const [code, times] of this.#readers.closes) this.#broken.push(`${times} readers were closed with ${code}`);
    return this.#outcome(stretches);
  }

  async end(): Promise<void> {
    this.#readers.end();
    this.#stalled.end();
    this.#publisher.end();
    await this.#watch.stop();
  }

  async #stretch({ weight, hasStalled }: Pick<Stretch, 'weight' | 'hasStalled'>): Promise<Stretch> {
    const sockets = hasStalled ? this.#stalled.viewers.map(({ socket }) => socket!) : [];
    const held = this.#held = new Set(sockets.map(({ localPort }) => localPort!));
    for (const socket of sockets) socket.stall();
    const { seconds, frameRate } = this.#size;
    const padding = 'x'.repeat(this.#size[`${weight}Bytes`]);
    const closedMs: number[] = [];
    const histograms: Histogram[] = [];
    const startedAt = performance.now();
    this.#onLetGo = (count) => { closedMs.push(...Array.from({ length: count }, () => performance.now() - startedAt)); };
    // With stalled clients as long as any of them is held: what comes then is as without.
    for (let sent = 0; hasStalled ? held.size > 0 && performance.now() - startedAt < RUN.neverMs : sent < seconds * frameRate; sent++) {
      await pause(startedAt + (sent / frameRate) * 1000 - performance.now());
      if (sent % frameRate === 0) histograms.push(makeHistogram());
      const at = performance.now();
      this.#sent.set(this.#publisher.publish(`room:${RUN.room}`, padding), { at, second: histograms.at(-1)! });
    }
    await this.#publisher.settled();
    await pause(RUN.lateMs);
    this.#sent.clear();
    // The last second was not a whole one.
    if (hasStalled && histograms.length > 1) histograms.pop();
    if (held.size > 0) this.#broken.push(`${held.size} of ${sockets.length} clients that stopped reading (${weight}) were still held after ${RUN.neverMs} ms`);
    const late = closedMs.filter((ms) => ms > RUN.closedWithinMs);
    if (late.length > 0) this.#missed.push(`${late.length} of ${sockets.length} clients that stopped reading (${weight}) were let go only after up to ${Math.max(...late).toFixed(0)} ms`);
    // They read on, find the end, and come back to what they missed.
    for (const socket of sockets) socket.resume();
    const deadline = performance.now() + RUN.backMs;
    while (this.#stalled.viewers.some(({ socket }, index) => socket === sockets[index]) && performance.now() < deadline) await pause(RUN.lookEveryMs);
    await this.#stalled.untilAllLive(RUN.backMs);
    return { weight, hasStalled, seconds: histograms.map(latencyOf), closedMs };
  }

  /** Those that frames are sent of. */
  get #weights(): Stretch['weight'][] {
    return WEIGHTS.filter((weight) => this.#size[`${weight}Bytes`] > 0);
  }

  #outcome(stretches: readonly Stretch[]): Outcome {
    const such = (weight: Stretch['weight'], hasStalled: boolean): Stretch[] => stretches.filter((one) => one.weight === weight && one.hasStalled === hasStalled);
    const medianOf = (some: readonly Stretch[], of: 'p50' | 'p99'): number => median(some.flatMap(({ seconds }) => seconds.map((latency) => latency[of])));
    const rise = (weight: Stretch['weight']): number => medianOf(such(weight, true), 'p99') / medianOf(such(weight, false), 'p99');
    // Every other stretch without anybody stalled by those between: what noise alone makes of the same.
    const noise = (weight: Stretch['weight']): number => {
      const [odd, even] = [1, 0].map((rest) => medianOf(such(weight, false).filter((_, index) => index % 2 === rest), 'p99'));
      return odd! / even!;
    };
    for (const weight of this.#weights) if (rise(weight) > RUN.riseMax) this.#missed.push(`${weight} frames: the others' p99 is ${rise(weight).toFixed(2)} × that without stalled clients, of ${RUN.riseMax}; noise alone makes it ${noise(weight).toFixed(2)} ×`);
    return {
      measured: { rises: this.#weights.map((weight) => ({ weight, rise: rise(weight), noise: noise(weight) })), stretches, closes: Object.fromEntries(this.#stalled.closes), resumes: this.#stalled.resumes }, broken: this.#broken, missed: this.#missed,
      rows: [
        ['frames to a room, ms until a reader has one, in the median second', 'p50', 'p99', 'with stalled: p50', 'p99', 'p99 ÷ p99', 'of the same', 'let go after'],
        ...this.#weights.map((weight) => {
          const closed = stretches.filter((one) => one.weight === weight).flatMap(({ closedMs }) => closedMs);
          return [
            weight, ...([false, true] as const).flatMap((has) => (['p50', 'p99'] as const).map((of) => medianOf(such(weight, has), of).toFixed(2))),
            rise(weight).toFixed(2), noise(weight).toFixed(2), Math.max(0, ...closed).toFixed(0),
          ];
        }),
      ],
    };
  }
}
