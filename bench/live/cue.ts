import type { OfferInput } from '../../src/domain/offer.js';
import { connectRedis, untilReady } from '../../src/redis/client.js';
import { makeKeys } from '../../src/redis/keys.js';
import { pause } from '../../src/util/pause.js';
import { seededRandom } from '../../src/util/random.js';
import { readFinalOffer } from '../claims/final-state.js';
import { median } from '../report.js';
import { PREFIX } from '../store.js';
import { itemId, shopperId } from '../workloads.js';
import { Arrivals, type ArrivalTimes } from './arrivals.js';
import { withFleet, type CpuUsed, type LiveFleet } from './fleet.js';
import type { FrameHead } from './frame-head.js';
import { checkLadder, ladderOf, servedBy, type LadderCounts } from './ladder.js';
import { filesMax } from './processes.js';
import { scenario, type Outcome, type Tools } from './scenario.js';
import { fillLiveStore, launchOffers, openRoom } from './store.js';
import { Swarm } from './swarm.js';
import type { Viewer } from './viewer.js';

const SIZE = { sockets: 10_000, warmups: 3, rounds: 5, apis: 2, items: 2000, histories: 4000 };
type Size = typeof SIZE;

const CUE = {
  room: 'stage',
  /** Files of the client beside its sockets. */
  filesSpare: 500,
  connectMs: 300_000,
  /** Everybody has it by then, or is counted as left out, ms. */
  arriveMs: 60_000,
  /** Quiet before and after a cue, ms: what is sent twice comes by then, and the pings that ask whether it arrived. */
  quietMs: 4000,
  durationS: 600,
  /** Time of a personal offer to that of an identical frame. */
  ratioMax: 3,
  /** Of a viewer's offer, most of it. */
  frameBytesMax: 1024,
} as const;

const KINDS = ['pin', 'ladder', 'scarce'] as const;
type Kind = (typeof KINDS)[number];
const LADDERS = ['ladder', 'scarce'] as const;

/** One cue, from the request of the host to the last viewer. */
interface Play {
  readonly kind: Kind;
  readonly arrivals: ArrivalTimes;
  /** CPU time by viewer, µs. */
  readonly cpu: CpuUsed;
  readonly counts?: LadderCounts;
}

export const cue = scenario('a personal offer to all viewers of a room, beside one identical frame to all', SIZE, async (size: Size, tools: Tools): Promise<Outcome> => {
  if (filesMax() < size.sockets + CUE.filesSpare) throw new Error(`${size.sockets} sockets need as many open files in one process: \`ulimit -n ${size.sockets + CUE.filesSpare}\` first (now ${filesMax()}).`);
  return await withFleet({ apis: size.apis, nodeArgs: tools.nodeArgs }, async (fleet) => {
    tools.say(`filling the store: ${size.sockets} profiles …`);
    await fillLiveStore(fleet, { ...size, viewers: size.sockets });
    await openRoom(fleet, CUE.room);
    const stage = new Stage(fleet, size, tools);
    try {
      return await stage.run();
    } finally {
      stage.end();
    }
  });
});

/** A room full of viewers, and cues played to them in turn. */
class Stage {
  readonly #fleet: LiveFleet;
  readonly #size: Size;
  readonly #tools: Tools;
  readonly #swarm: Swarm;
  readonly #ladders = new Map<string, OfferInput[]>();
  readonly #plays: Play[] = [];
  readonly #broken: string[] = [];
  #awaited: { readonly type: string; readonly arrivals: Arrivals } | undefined;
  #offers: { readonly userId: string; readonly head: FrameHead; readonly frame: Buffer }[] = [];
  /** Of the offers of a play, one after another: ten thousand pieces of memory would have the client's garbage collector take the engine's time. */
  readonly #frames: Buffer;
  #framesEnd = 0;

  constructor(fleet: LiveFleet, size: Size, tools: Tools) {
    this.#fleet = fleet;
    this.#size = size;
    this.#tools = tools;
    this.#frames = Buffer.alloc(2 * size.sockets * CUE.frameBytesMax);
    this.#swarm = new Swarm({
      viewers: size.sockets, addresses: [fleet.address], userIdOf: shopperId, random: seededRandom(tools.seed),
      channelsOf: (index) => [`user:${shopperId(index)}`, `room:${CUE.room}`],
      onFrame: (viewer, head, frame, at) => { this.#note(viewer, head, frame, at); },
    });
  }

  async run(): Promise<Outcome> {
    const { sockets, rounds, warmups } = this.#size;
    for (let round = 0; round < warmups + rounds; round++) for (const kind of LADDERS) this.#ladders.set(`${kind}-${round}`, ladderOf(`${kind}-${round}`, sockets, kind === 'scarce'));
    await launchOffers(this.#fleet, [...this.#ladders.values()].flat());
    this.#tools.say(`connecting ${sockets} viewers …`);
    const startedAt = performance.now();
    await this.#swarm.open(CUE.connectMs);
    this.#tools.say(`connected in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    // Warm-up rounds are not counted; in every other one the order is the other way round.
    for (let round = 0; round < warmups + rounds; round++) {
      for (const kind of round % 2 === 0 ? KINDS : KINDS.toReversed()) {
        const play = await this.#play(kind, round);
        if (round >= warmups) this.#plays.push(play);
      }
    }
    for (const { viewer, channel, rule, what } of this.#swarm.breaches) this.#broken.push(`${viewer} on ${channel}: ${rule}, ${what}`);
    return { measured: { plays: this.#plays }, rows: this.#rows(), broken: this.#broken, missed: this.#missed() };
  }

  end(): void {
    this.#swarm.end();
  }

  async #play(kind: Kind, round: number): Promise<Play> {
    const name = `${kind}-${round}`;
    const offers = this.#ladders.get(name) ?? [];
    this.#offers = [];
    this.#framesEnd = 0;
    const before = this.#fleet.cpu();
    const arrivals = new Arrivals(this.#size.sockets, performance.now());
    this.#awaited = { type: kind === 'pin' ? 'cue' : 'offer', arrivals };
    await this.#fleet.ask('POST', `/v1/rooms/${CUE.room}/cues`, kind === 'pin' ? { kind, itemId: itemId(round % 2) } : { kind: 'coupon_ladder', offerIds: offers.map(({ id }) => id), durationS: CUE.durationS });
    await arrivals.ended(CUE.arriveMs);
    const after = this.#fleet.cpu();
    await pause(CUE.quietMs);
    this.#awaited = undefined;
    const times = arrivals.times();
    const checked = kind === 'pin' ? undefined : await this.#check(offers);
    if (arrivals.count < this.#size.sockets) this.#broken.push(`${name}: ${this.#size.sockets - arrivals.count} viewers had nothing after ${CUE.arriveMs} ms`);
    const each = (part: keyof CpuUsed): number => ((after[part] - before[part]) * 1e6) / this.#size.sockets;
    const play = { kind, arrivals: times, cpu: { apis: each('apis'), redis: each('redis'), client: each('client') }, ...checked === undefined ? {} : { counts: checked } };
    this.#tools.say(`${name}: p50 ${times.p50.toFixed(0)} ms, last ${times.last.toFixed(0)} ms${checked === undefined ? '' : ` · ${JSON.stringify(checked)}`}`);
    return play;
  }

  async #check(offers: readonly OfferInput[]): Promise<LadderCounts> {
    const redis = connectRedis(this.#fleet.redis.url, 'commands', { timeoutMs: 30_000, name: 'bench' });
    try {
      await untilReady(redis, 10_000);
      const keys = makeKeys(PREFIX);
      const final = await Promise.all(offers.map(({ id }) => readFinalOffer(redis, keys, id)));
      const { counts, broken } = checkLadder(final, this.#offers.map(({ userId, head, frame }) => servedBy(userId, head, frame)), this.#size.sockets);
      this.#broken.push(...broken);
      return counts;
    } finally {
      redis.disconnect();
    }
  }

  #note(viewer: Viewer, head: FrameHead, frame: Buffer, at: number): void {
    if (head.type !== this.#awaited?.type) return;
    this.#awaited.arrivals.note(viewer.index, at);
    // Parsed when all is quiet: here it would take the engine's time.
    if (head.type === 'offer') this.#offers.push({ userId: viewer.userId, head, frame: this.#keep(frame) });
  }

  #keep(frame: Buffer): Buffer {
    const from = this.#framesEnd;
    this.#framesEnd += frame.copy(this.#frames, from);
    return this.#frames.subarray(from, this.#framesEnd);
  }

  /** Median over the rounds. */
  #of(kind: Kind, read: (play: Play) => number): number {
    return median(this.#plays.filter((play) => play.kind === kind).map(read));
  }

  /** Until the last viewer has it, to that of the identical frame. */
  #ratio(kind: Kind): number {
    return this.#of(kind, ({ arrivals }) => arrivals.last) / this.#of('pin', ({ arrivals }) => arrivals.last);
  }

  #missed(): string[] {
    return LADDERS.filter((kind) => this.#ratio(kind) > CUE.ratioMax).map((kind) => `${NAMES[kind]}: ${this.#ratio(kind).toFixed(2)} × the identical frame, of ${CUE.ratioMax}`);
  }

  #rows(): string[][] {
    return [
      ['ms from the request', 'first', 'p50', 'p99', 'last', '÷ identical', 'CPU µs: apis', 'Redis', 'client', 'claimed', 'default', 'sold out', 'told early'],
      ...KINDS.map((kind) => [
        NAMES[kind], ...(['first', 'p50', 'p99', 'last'] as const).map((name) => this.#of(kind, ({ arrivals }) => arrivals[name]).toFixed(0)), this.#ratio(kind).toFixed(2),
        ...(['apis', 'redis', 'client'] as const).map((name) => this.#of(kind, ({ cpu }) => cpu[name]).toFixed(1)),
        ...(['claimed', 'byDefault', 'soldOut', 'early'] as const).map((name) => (kind === 'pin' ? '' : this.#of(kind, ({ counts }) => counts![name]).toFixed(0))),
      ]),
    ];
  }
}

const NAMES: Readonly<Record<Kind, string>> = { pin: 'identical frame', ladder: 'ladder of four', scarce: 'the same, two scarce' };
