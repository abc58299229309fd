import type { ChannelAddress } from '../../src/domain/channel.js';
import type { OfferInput } from '../../src/domain/offer.js';
import { ChannelLog, roomChannel, shopperChannel } from '../../src/redis/channel-log.js';
import { connectRedis, untilReady, type RedisClient } from '../../src/redis/client.js';
import { makeKeys } from '../../src/redis/keys.js';
import { pause } from '../../src/util/pause.js';
import { seededRandom, type Random } from '../../src/util/random.js';
import { Rounds } from '../../src/util/rounds.js';
import { readFinalOffer } from '../claims/final-state.js';
import { PREFIX } from '../store.js';
import { itemId, shopperId } from '../workloads.js';
import { LiveFleet } from './fleet.js';
import type { FrameHead } from './frame-head.js';
import { Host } from './host.js';
import { checkLadder, ladderOf, servedBy, type LadderCounts, type Served } from './ladder.js';
import type { Tools } from './scenario.js';
import { fillLiveStore, launchOffers, openRoom } from './store.js';
import { Swarm } from './swarm.js';
import type { Viewer } from './viewer.js';

export interface AudienceSize {
  readonly viewers: number;
  readonly apis: number;
  readonly items: number;
  readonly histories: number;
  /** Frames a second to viewers alone, all together. */
  readonly letterRate: number;
  /** Also a worker. Default: none. */
  readonly hasWorker?: boolean;
}

const AUDIENCE = {
  room: 'stage', products: 10,
  pinEveryMs: 100,
  /** A busy machine is to leave nobody with the default offer: each claim that was made is to be shown, and the other way round. */
  chunkMs: 10_000,
  connectMs: 120_000,
  /** Everybody is back and has everything by then, or never, ms. */
  settleMs: 60_000,
  /** What is sent twice comes by then, ms. */
  quietMs: 1500,
  ladderS: 600,
} as const;

const KEYS = makeKeys(PREFIX);
const ROOM = roomChannel(KEYS, AUDIENCE.room);
const alone = (index: number): ChannelAddress => shopperChannel(KEYS, `u:${shopperId(index)}`);

/** A connection that ended, and the moment its viewer was subscribed to everything again, ms of `performance.now()`. */
export interface Absence {
  readonly code: number;
  readonly leftAt: number;
  readonly backAt: number;
}

export interface Ladder {
  readonly offers: readonly OfferInput[];
  readonly served: Served[];
  /** Viewers who have an offer of it. */
  readonly has: Set<Viewer>;
}

interface Parts {
  readonly fleet: LiveFleet;
  readonly redis: RedisClient;
  readonly size: AudienceSize;
  readonly random: Random;
}

/**
 * Viewers of one room, a host who pins products all the time, letters to single viewers, and ladders between. What each of
 * them was told is checked at the end: every frame of the room and of their own, once, in order; of each ladder one offer,
 * and as many claims as were shown.
 */
export class Audience {
  readonly fleet: LiveFleet;
  readonly swarm: Swarm;
  readonly host: Host;
  readonly absences: Absence[] = [];
  /** Each try of somebody who was away to come back, ms of `performance.now()`. */
  readonly tries: number[] = [];
  readonly #redis: RedisClient;
  readonly #log: ChannelLog;
  readonly #letters: Rounds;
  readonly #left = new Map<Viewer, { code: number; leftAt: number }>();
  /** Cues as the first viewer was told of them. */
  readonly #heard: string[] = [];
  /** By each of its offers' ids. */
  readonly #ladders = new Map<string, Ladder>();
  readonly #faults: unknown[] = [];

  private constructor({ fleet, redis, size: { viewers, letterRate }, random }: Parts) {
    this.fleet = fleet;
    this.#redis = redis;
    this.#log = new ChannelLog(redis, Date.now);
    this.host = new Host({ url: fleet.engine.url, room: AUDIENCE.room, products: Array.from({ length: AUDIENCE.products }, (_, index) => itemId(index)) });
    this.#letters = new Rounds({
      everyMs: 1000 / letterRate, onError: (error) => { this.#faults.push(error); },
      round: () => this.#log.publish(alone(Math.floor(random() * viewers)), 'offer', {}),
    });
    this.swarm = new Swarm({
      viewers, addresses: [fleet.address], userIdOf: shopperId, random, channelsOf: (index) => [alone(index).name, ROOM.name],
      onConnecting: (viewer, at) => { if (this.#left.has(viewer)) this.tries.push(at); },
      onFrame: (viewer, head, frame) => { this.#note(viewer, head, frame); },
      onClosed: (viewer, code, _reason, leftAt) => { if (!this.#left.has(viewer)) this.#left.set(viewer, { code, leftAt }); },
      onLive: (viewer, backAt) => {
        const left = this.#left.get(viewer);
        if (left !== undefined) this.absences.push({ ...left, backAt });
        this.#left.delete(viewer);
      },
    });
  }

  /** Everybody is there, and the host pins and letters come from now on. */
  static async gather(size: AudienceSize, { seed, say, nodeArgs }: Tools): Promise<Audience> {
    const fleet = await LiveFleet.start({ apis: size.apis, hasWorker: size.hasWorker ?? false, env: { LOG_LEVEL: 'info', CUE_CHUNK_DEADLINE_MS: String(AUDIENCE.chunkMs) }, nodeArgs });
    const redis = connectRedis(fleet.redis.url, 'commands', { timeoutMs: 30_000, name: 'bench' });
    const audience = new Audience({ fleet, redis, size, random: seededRandom(seed) });
    try {
      await untilReady(redis, 10_000);
      say(`filling the store: ${size.viewers} profiles …`);
      await fillLiveStore(fleet, size);
      await openRoom(fleet, AUDIENCE.room);
      say(`connecting ${size.viewers} viewers …`);
      await audience.swarm.open(AUDIENCE.connectMs);
      audience.host.startPinning(AUDIENCE.pinEveryMs);
      audience.#letters.start();
      return audience;
    } catch (error) {
      await audience.end();
      throw error;
    }
  }

  async end(): Promise<void> {
    await Promise.all([this.#letters.stop(), this.host.stopPinning()]);
    this.swarm.end();
    this.#redis.disconnect();
    await this.fleet.stop();
  }

  /** Makes the offers of a ladder known to all processes. */
  async prepareLadder(name: string): Promise<Ladder> {
    const ladder = { offers: ladderOf(name, this.swarm.viewers.length, false), served: [], has: new Set<Viewer>() };
    for (const { id } of ladder.offers) this.#ladders.set(id, ladder);
    await launchOffers(this.fleet, ladder.offers);
    return ladder;
  }

  /** Has it played and resolves when so many viewers have an offer of it; all of them unless told otherwise. */
  async playLadder(ladder: Ladder, viewers?: number): Promise<void> {
    await this.host.play({ kind: 'coupon_ladder', offerIds: ladder.offers.map(({ id }) => id), durationS: AUDIENCE.ladderS });
    await this.#untilServed(ladder, viewers);
  }

  /** Resolves when everybody is here and has an offer of the ladder. */
  async untilAllServed(ladder: Ladder): Promise<void> {
    await this.#untilServed(ladder);
    await this.swarm.untilAllLive(AUDIENCE.settleMs);
  }

  /** Api processes that serve now. */
  async readyProcesses(): Promise<number> {
    const metrics = await (await fetch(`${this.fleet.engine.url}/metrics`)).text();
    return Number(/^rivulet_api_processes (\d+)$/mu.exec(metrics)?.[1]);
  }

  /** Waits until nothing is under way any more. @returns what is wrong with what the viewers were told */
  async settle(ladders: readonly Ladder[]): Promise<{ broken: string[]; counts: LadderCounts[] }> {
    await Promise.all([this.#letters.stop(), this.host.stopPinning()]);
    await this.swarm.untilAllLive(AUDIENCE.settleMs);
    for (const ladder of ladders) await this.#untilServed(ladder);
    await pause(AUDIENCE.quietMs);
    const broken = this.swarm.breaches.map(({ viewer, channel, rule, what }) => `${viewer} on ${channel}: ${rule}, ${what}`);
    broken.push(...[...this.#faults, ...this.host.faults].map(String), ...await this.#missing());
    const { lost } = this.swarm.resumes;
    if (lost > 0) broken.push(`${lost} resumes were not recovered`);
    const { cueIds } = this.host;
    if (this.#heard.join() !== cueIds.join()) broken.push(`the host played ${cueIds.length} cues, a viewer heard ${this.#heard.length}, or in another order`);
    const counts: LadderCounts[] = [];
    for (const { offers, served } of ladders) {
      const final = await Promise.all(offers.map(({ id }) => readFinalOffer(this.#redis, KEYS, id)));
      const checked = checkLadder(final, served, this.swarm.viewers.length);
      counts.push(checked.counts);
      broken.push(...checked.broken);
    }
    return { broken, counts };
  }

  #note(viewer: Viewer, head: FrameHead, frame: Buffer): void {
    const { type } = head;
    if (type === 'cue' && viewer.index === 0) this.#heard.push((JSON.parse(frame.toString()) as { cue: { id: string } }).cue.id);
    if (type !== 'offer') return;
    const { offerId, ...served } = servedBy(viewer.userId, head, frame);
    // A letter has none.
    const ladder = offerId === undefined ? undefined : this.#ladders.get(offerId);
    ladder?.served.push(served);
    ladder?.has.add(viewer);
  }

  /** Viewers who were not told of the last frame on one of their channels: what was before it they cannot lack without a breach. */
  async #missing(): Promise<string[]> {
    const room = (await this.#log.read(ROOM, 0)).head;
    const lacking: string[] = [];
    for (const { index, userId, channels } of this.swarm.viewers) {
      const heads = { [ROOM.name]: room, [alone(index).name]: (await this.#log.read(alone(index), 0)).head };
      for (const [name, { epoch, offset }] of Object.entries(heads)) {
        const stands = channels.get(name)?.position;
        if (stands?.epoch !== epoch || stands.offset !== offset) lacking.push(`${userId} stands at ${stands?.epoch}-${stands?.offset} of ${name}, which ends at ${epoch}-${offset}`);
      }
    }
    return lacking;
  }

  async #untilServed({ has }: Ladder, viewers = this.swarm.viewers.length): Promise<void> {
    const deadline = performance.now() + AUDIENCE.settleMs;
    while (has.size < viewers && performance.now() < deadline) await pause(1);
  }
}
