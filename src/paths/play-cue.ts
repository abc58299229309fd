import type { LoggedFrame } from '../domain/channel.js';
import type { Cue, CueOf } from '../domain/cue.js';
import type { Room } from '../domain/room.js';
import type { ShopperKey } from '../domain/shopper.js';
import type { Member, RoomHooks } from '../live/audience.js';
import { CueMessages } from '../offers/cue-messages.js';
import type { OfferPreparer } from '../offers/decide/prepared-offer.js';
import type { LiveCase } from '../offers/decide/weigh.js';
import type { LiveOffers } from '../offers/live-offer.js';
import { roomChannel } from '../redis/channel-log.js';
import type { CueCounts } from '../redis/cue-store.js';
import { partitionOf } from '../redis/keys.js';
import { LATE, within } from '../util/deadline.js';
import { groupBy } from '../util/group-by.js';
import { backoffMs, breathe, pause } from '../util/pause.js';
import { CueChunk, type CueChunkDeps, type Ladder } from './cue-chunk.js';

/**
 * A ladder of coupons, played: each process that sees the cue in a room's log takes its own viewers, in chunks, and each chunk goes
 *
 *   profiles → who may have what → features → one run of the response model → the draw → claims → inbox, log and frame of each
 *
 * (`CueChunk`). Whoever joins while the cue is open follows in a moment. A chunk that misses its deadline gets the cue's default offer, a
 * tap away, and whatever comes of its claims after that is given back: stock and budget are exact in either case, because only the claim
 * script hands anything out, and nobody is served twice, because only the script that delivers does so, once per cue and viewer.
 */

export const CUE_LIMITS = {
  /** Viewers of a chunk. */
  chunkMax: 128,
  /** Chunks under way at once: while one waits for Redis another one computes. More would all take longer, and be done no sooner. */
  chunksAtOnce: 3,
  /** Time that the store gets at least to take default offers before their viewers are told without it, ms. */
  patienceMs: 100,
  /** Those who join are gathered for so long, ms. */
  gatherMs: 30,
  /** A cue that is older when it is seen may have been played before by a process that is gone, ms. */
  freshMs: 2000,
  /** Tries to write what has been told directly, and the pause between them, ms. */
  tries: 8, retryFromMs: 250, retryToMs: 5000,
} as const;

export interface CueMetrics {
  /** A chunk is through. `before`: served by another play, `held`: given no offers at all. */
  readonly onChunk: (counts: CueCounts & { readonly held: number; readonly before: number }, isLate: boolean) => void;
  /** All viewers that were here when a cue began have been served, after so long, ms. */
  readonly onPlayed: (elapsedMs: number) => void;
}

export interface CuePlayerDeps extends Omit<CueChunkDeps, 'onAnswer'> {
  readonly offers: LiveOffers;
  readonly preparer: OfferPreparer;
  readonly rooms: {
    readonly openCues: (roomId: string, now: number) => Promise<readonly Cue[]>;
    /** As this process knows it. */
    readonly get: (roomId: string) => Room | undefined;
  };
  /** Time that a chunk gets, ms. */
  readonly deadlineMs: number;
  readonly metrics: CueMetrics;
  readonly onFault: (error: unknown) => void;
}

type LadderCue = CueOf<'coupon_ladder'>;

/** A cue that is open, as this process plays it. */
interface Play {
  readonly ladder: Ladder;
  /** Whom this process has taken on. */
  readonly taken: Set<ShopperKey>;
  /** Who has joined since, and waits for others. */
  joined: ShopperKey[];
  gathering: NodeJS.Timeout | undefined;
  readonly ending: NodeJS.Timeout;
}

/** A chunk that waits for its turn. */
interface Job {
  readonly ladder: Ladder;
  readonly shoppers: readonly ShopperKey[];
  readonly areReturning: boolean;
  /** @param chunk to be concluded; undefined when it was late, and is concluded when it can be */
  readonly done: (chunk: CueChunk | undefined) => void;
}

export class CuePlayer {
  readonly #deps: CuePlayerDeps & CueChunkDeps;
  /** When the store answered last, ms. */
  #answeredAt = 0;
  /** By cue. */
  readonly #plays = new Map<string, Play>();
  /** Rooms whose open cues this process knows, because it hears of each since it asked. */
  readonly #known = new Set<string>();
  readonly #queue: Job[] = [];
  #running = 0;
  /** Chunks whose viewers were told without the store, which has not answered since. */
  #stalled = 0;
  readonly #stopping = new AbortController();
  readonly #afterwards = new Set<Promise<void>>();

  constructor(deps: CuePlayerDeps) {
    this.#deps = { ...deps, onAnswer: () => { this.#answeredAt = deps.clock(); } };
    deps.audience.watchRooms(this.#hooks());
  }

  /** Ends all plays; chunks under way are finished, as far as the store answers. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const [id] of this.#plays) this.#end(id);
    for (const { done } of this.#queue.splice(0)) done(undefined);
    await Promise.all(this.#afterwards);
  }

  #hooks(): RoomHooks {
    return {
      onFrame: (roomId, type, frame) => { this.#hear(roomId, type, frame); },
      onJoin: (roomId, member) => { this.#welcome(roomId, member); },
      onLeave: (roomId) => { if (!this.#hasViewers(roomId)) this.#known.delete(roomId); },
    };
  }

  #hear(roomId: string, type: string, { json }: LoggedFrame): void {
    if (type !== 'cue' && type !== 'room') return;
    const { cue, room } = JSON.parse(json.toString()) as { cue?: Cue; room?: Room };
    if (cue?.kind === 'coupon_ladder') this.#begin(cue, this.#deps.clock() - cue.at > CUE_LIMITS.freshMs);
    if (cue?.kind === 'end' || room?.status === 'closed') for (const [id, { ladder }] of this.#plays) if (ladder.cue.roomId === roomId) this.#end(id);
  }

  /** Whoever joins is served what is open; the first in a room brings that to the notice of this process. */
  #welcome(roomId: string, { shopper }: Member): void {
    for (const play of this.#plays.values()) if (play.ladder.cue.roomId === roomId) this.#gather(play, shopper);
    if (this.#known.has(roomId)) return;
    this.#known.add(roomId);
    void this.#catchUp(roomId);
  }

  async #catchUp(roomId: string): Promise<void> {
    const { rooms, clock, onFault } = this.#deps;
    try {
      for (const cue of await rooms.openCues(roomId, clock())) if (cue.kind === 'coupon_ladder') this.#begin(cue, true);
    } catch (error) {
      this.#known.delete(roomId);
      onFault(error);
    }
  }

  #begin(cue: LadderCue, areReturning: boolean): void {
    const { clock } = this.#deps;
    const leftMs = cue.endsAt - clock();
    if (leftMs <= 0 || this.#plays.has(cue.id) || this.#stopping.signal.aborted) return;
    const play: Play = { ladder: this.#ladderOf(cue), taken: new Set(), joined: [], gathering: undefined, ending: setTimeout(() => { this.#end(cue.id); }, leftMs).unref() };
    this.#plays.set(cue.id, play);
    void this.#serveAll(play, areReturning);
  }

  /** Whoever is here. */
  async #serveAll(play: Play, areReturning: boolean): Promise<void> {
    const { audience, keys, clock, metrics } = this.#deps;
    const { cue } = play.ladder;
    const viewers = Array.from(audience.viewersOf(roomChannel(keys, cue.roomId)), ({ shopper }) => shopper);
    await this.#serve(play, viewers, areReturning);
    metrics.onPlayed(clock() - cue.at);
  }

  #end(cueId: string): void {
    const play = this.#plays.get(cueId);
    if (play === undefined) return;
    clearTimeout(play.ending);
    clearTimeout(play.gathering);
    this.#plays.delete(cueId);
  }

  #ladderOf(cue: LadderCue): Ladder {
    const { offers, preparer, rooms, catalog } = this.#deps;
    const ids = new Set(cue.offerIds);
    const cases = (now: number): LiveCase[] => offers.live(now)
      .filter(({ offer: { id, terms } }) => ids.has(id) && terms.kind !== 'group_buy' && terms.kind !== 'share_reward')
      .map(({ offer, usage }) => ({ prepared: preparer.prepare(offer), usage }));
    const pinned = rooms.get(cue.roomId)?.pinnedItemId;
    return { cue, messages: new CueMessages(cue), gone: new Set(), cases, pageRow: pinned === undefined ? -1 : catalog.rowOf(pinned) };
  }

  #gather(play: Play, shopper: ShopperKey): void {
    if (play.taken.has(shopper)) return;
    play.joined.push(shopper);
    play.gathering ??= setTimeout(() => {
      play.gathering = undefined;
      void this.#serve(play, play.joined.splice(0), true);
    }, CUE_LIMITS.gatherMs);
  }

  /** Resolves when all of them are through. */
  async #serve({ taken, ladder }: Play, shoppers: readonly ShopperKey[], areReturning: boolean): Promise<void> {
    const fresh = shoppers.filter((shopper) => !taken.has(shopper) && taken.add(shopper));
    // A chunk is of few partitions, because each of them is asked for itself.
    const ordered = groupBy(fresh, partitionOf).flatMap(([, group]) => group);
    const through: Promise<CueChunk | undefined>[] = [];
    for (let from = 0; from < ordered.length; from += CUE_LIMITS.chunkMax) {
      const job = { ladder, shoppers: ordered.slice(from, from + CUE_LIMITS.chunkMax), areReturning };
      through.push(new Promise((done) => { this.#queue.push({ done, ...job }); }));
    }
    this.#pump();
    this.#follow(this.#concludeAll(await Promise.all(through)));
  }

  /** What can wait until all have their offers: log, reach, contacts. */
  async #concludeAll(chunks: readonly (CueChunk | undefined)[]): Promise<void> {
    for (const chunk of chunks) {
      if (chunk === undefined) continue;
      await this.#conclude(chunk);
      await breathe();
    }
  }

  #pump(): void {
    while (this.#running < CUE_LIMITS.chunksAtOnce && this.#queue.length > 0) void this.#run(this.#queue.shift()!);
  }

  async #run({ ladder, shoppers, areReturning, done }: Job): Promise<void> {
    this.#running += 1;
    const { clock, deadlineMs } = this.#deps;
    const chunk = new CueChunk(this.#deps, ladder, shoppers, { areReturning, until: clock() + deadlineMs });
    const isInTime = await this.#play(chunk);
    this.#running -= 1;
    done(isInTime ? chunk : undefined);
    this.#pump();
  }

  /** One chunk, within its time. Never rejects. @returns whether that was enough */
  async #play(chunk: CueChunk): Promise<boolean> {
    const { clock, deadlineMs, onFault } = this.#deps;
    const startedAt = clock();
    // While the store does not answer, nobody waits for it anew.
    const playing = this.#stalled > 0 ? Promise.resolve(false) : chunk.play();
    try {
      if (await within(playing, deadlineMs) === true) return true;
    } catch (error) {
      onFault(error);
    }
    chunk.end();
    chunk.addressRest();
    const delivered = chunk.deliver(true).then(() => true, () => false);
    if (!await this.#isTaken(delivered, startedAt)) chunk.tellDirectly();
    this.#follow(this.#makeGood(chunk, playing, delivered));
    return false;
  }

  /** Whether the store takes something, slow as it may be; it does not when it has refused it, or has not said a word for as long as a chunk gets. */
  async #isTaken(delivered: Promise<boolean>, startedAt: number): Promise<boolean> {
    const { clock, deadlineMs } = this.#deps;
    for (;;) {
      const leftMs = Math.max(startedAt, this.#answeredAt) + deadlineMs - clock();
      // Our own loop may have been what stood still.
      const outcome = await within(delivered, Math.max(CUE_LIMITS.patienceMs, leftMs));
      if (outcome !== LATE) return outcome;
      if (leftMs <= 0) return false;
    }
  }

  /** Writes what viewers were told directly, when the store is back. */
  async #makeGood(chunk: CueChunk, playing: Promise<unknown>, delivered: Promise<boolean>): Promise<void> {
    const { signal } = this.#stopping;
    this.#stalled += 1;
    let isDelivered = await delivered;
    for (let failures = 1; !isDelivered && failures < CUE_LIMITS.tries && !signal.aborted; failures++) {
      await pause(backoffMs(failures, CUE_LIMITS.retryFromMs, CUE_LIMITS.retryToMs), signal);
      isDelivered = await chunk.deliver(true).then(() => true, () => false);
    }
    this.#stalled -= 1;
    // Whoever comes again may have better luck.
    if (!isDelivered) for (const shopper of chunk.shoppers) this.#plays.get(chunk.ladder.cue.id)?.taken.delete(shopper);
    await this.#conclude(chunk, playing);
  }

  /** @param playing of a chunk that was late: what may still be claimed before it ends */
  async #conclude(chunk: CueChunk, playing?: Promise<unknown>): Promise<void> {
    const { store, metrics, onFault } = this.#deps;
    const { aftermath } = chunk;
    const counts = aftermath.log();
    metrics.onChunk(counts, chunk.isLate);
    try {
      await Promise.all([store.countReach(chunk.ladder.cue, counts, chunk.deliveredAt), aftermath.note()]);
      await playing?.catch(() => { /* Told already. */ });
      await aftermath.giveBack();
    } catch (error) {
      // The reach lacks some, a contact counts less; what was not given back expires.
      onFault(error);
    }
  }

  /** Lets something end by itself, before `stop` does. */
  #follow(work: Promise<void>): void {
    this.#afterwards.add(work);
    void work.finally(() => { this.#afterwards.delete(work); });
  }

  #hasViewers(roomId: string): boolean {
    for (const _ of this.#deps.audience.viewersOf(roomChannel(this.#deps.keys, roomId))) return true;
    return false;
  }
}
