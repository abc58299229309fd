import type { ShopperKey } from '../domain/shopper.js';
import { RoomTally } from '../pulse/tally.js';
import type { RoomPulseStore, Told } from '../redis/room-pulse-store.js';
import type { Clock } from '../util/clock.js';

export const ROOM_PULSE_RHYTHM = {
  /** Between two times that this process tells of a room, ms. */
  tellEveryMs: 1000,
  /** … while nothing happens in it: that its viewers are still here, ms. */
  presenceEveryMs: 2500,
  /** How often rooms are looked at for that, ms. */
  lookEveryMs: 1000,
  /** Times that what is left of a room is told at the end. */
  lastTimes: 12,
} as const;

export interface RoomPulseOptions {
  readonly store: Pick<RoomPulseStore, 'add'>;
  /** A name that no other process has, nor will have. */
  readonly process: string;
  readonly clock: Clock;
  readonly onFault: (error: unknown) => void;
  readonly rhythm?: { readonly [Name in keyof typeof ROOM_PULSE_RHYTHM]: number };
}

/** A room as this process sees it. */
interface Beat {
  readonly roomId: string;
  readonly tally: RoomTally;
  /** Shoppers who watch by this process, with how many connections. */
  readonly viewers: Map<ShopperKey, number>;
  /** On its way, or to be tried again. */
  pending: Pick<Told, 'sequence' | 'batch'> | undefined;
  timer: NodeJS.Timeout | undefined;
  telling: Promise<number> | undefined;
  toldAt: number;
  /** Viewers when it was told last. */
  toldViewers: number;
}

/**
 * What happens in the rooms by this process, gathered, and told to the room's counts in Redis once a second: however much happens, it costs a
 * script a second and room. What a process that dies had gathered is lost, a second at most; what was told is told once.
 */
export class RoomPulse {
  readonly #options: RoomPulseOptions;
  readonly #rhythm: { readonly [Name in keyof typeof ROOM_PULSE_RHYTHM]: number };
  readonly #beats = new Map<string, Beat>();
  readonly #look: NodeJS.Timeout;
  /** Of all rooms: a room that comes back goes on where it was. */
  #sequence = 0;
  #isStopped = false;

  constructor(options: RoomPulseOptions) {
    this.#options = options;
    this.#rhythm = options.rhythm ?? ROOM_PULSE_RHYTHM;
    this.#look = setInterval(() => { this.#lookAfterAll(); }, this.#rhythm.lookEveryMs);
  }

  /** Notes something. @param add is called at once */
  note<T>(roomId: string, add: (tally: RoomTally) => T): T {
    const beat = this.#beat(roomId);
    const result = add(beat.tally);
    this.#schedule(beat);
    return result;
  }

  /** @returns true when the shopper was not here before */
  join(roomId: string, shopper: ShopperKey): boolean {
    const beat = this.#beat(roomId);
    const connections = (beat.viewers.get(shopper) ?? 0) + 1;
    beat.viewers.set(shopper, connections);
    if (connections > 1) return false;
    beat.tally.join(shopper);
    this.#schedule(beat);
    return true;
  }

  /** @returns true when the shopper is not here any more */
  leave(roomId: string, shopper: ShopperKey): boolean {
    const beat = this.#beat(roomId);
    const connections = (beat.viewers.get(shopper) ?? 1) - 1;
    if (connections > 0) beat.viewers.set(shopper, connections);
    else beat.viewers.delete(shopper);
    this.#schedule(beat);
    return connections <= 0;
  }

  /** @returns shoppers who watch a room by this process */
  viewersOf(roomId: string): Iterable<ShopperKey> {
    return this.#beats.get(roomId)?.viewers.keys() ?? [];
  }

  /** Tells what there is left to tell, and that nobody is here. */
  async stop(): Promise<void> {
    clearInterval(this.#look);
    this.#isStopped = true;
    await Promise.all([...this.#beats.values()].map((beat) => this.#finish(beat)));
  }

  async #finish(beat: Beat): Promise<void> {
    clearTimeout(beat.timer);
    await beat.telling;
    beat.viewers.clear();
    for (let times = 0; times < this.#rhythm.lastTimes && hasNews(beat); times++) await this.#tell(beat);
  }

  #beat(roomId: string): Beat {
    let beat = this.#beats.get(roomId);
    if (beat === undefined) {
      beat = { roomId, tally: new RoomTally(), viewers: new Map(), pending: undefined, timer: undefined, telling: undefined, toldAt: 0, toldViewers: 0 };
      this.#beats.set(roomId, beat);
    }
    return beat;
  }

  /** @param afterMs from now, but never sooner than the rhythm has it */
  #schedule(beat: Beat, afterMs = beat.toldAt + this.#rhythm.tellEveryMs - this.#options.clock()): void {
    if (this.#isStopped || beat.telling !== undefined || beat.timer !== undefined) return;
    beat.timer = setTimeout(() => void this.#tellInTurn(beat), Math.max(0, Math.min(this.#rhythm.tellEveryMs, afterMs)));
  }

  async #tellInTurn(beat: Beat): Promise<void> {
    beat.timer = undefined;
    beat.telling = this.#tell(beat);
    const waitMs = await beat.telling;
    beat.telling = undefined;
    if (hasNews(beat)) this.#schedule(beat);
    else if (waitMs > 0) this.#schedule(beat, waitMs);
  }

  /** @returns after how many ms somebody has to come again */
  async #tell(beat: Beat): Promise<number> {
    beat.toldAt = this.#options.clock();
    beat.pending ??= { sequence: ++this.#sequence, batch: beat.tally.isEmpty ? undefined : beat.tally.take() };
    const viewers = beat.viewers.size;
    try {
      const waitMs = await this.#options.store.add(beat.roomId, { process: this.#options.process, viewers, ...beat.pending });
      beat.pending = undefined;
      beat.toldViewers = viewers;
      return waitMs;
    } catch (error) {
      // It may have been counted: the next try has the same sequence.
      this.#options.onFault(error);
      return this.#rhythm.tellEveryMs;
    }
  }

  /** Says of quiet rooms that somebody is there; forgets those that nobody is in. */
  #lookAfterAll(): void {
    const now = this.#options.clock();
    for (const beat of this.#beats.values()) {
      if (beat.timer !== undefined || beat.telling !== undefined) continue;
      if (beat.viewers.size > 0) {
        if (now - beat.toldAt >= this.#rhythm.presenceEveryMs) this.#schedule(beat, 0);
      } else if (!hasNews(beat)) this.#beats.delete(beat.roomId);
    }
  }
}

const hasNews = ({ tally, pending, viewers, toldViewers }: Beat): boolean => !tally.isEmpty || pending !== undefined || viewers.size !== toldViewers;
