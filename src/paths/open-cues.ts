import type { Cue } from '../domain/cue.js';
import type { RoomStore } from '../redis/room-store.js';
import { BoundedMap } from '../util/bounded-map.js';
import type { Clock } from '../util/clock.js';

const OPEN_CUES_LIMITS = { freshMs: 1000, roomsMax: 2000 } as const;

/** What is open in the rooms now: read at most once a second and room, or after a new cue. */
export class OpenCues {
  readonly #read = new BoundedMap<string, { readonly at: number; readonly cues: Promise<readonly Cue[]> }>(OPEN_CUES_LIMITS.roomsMax);

  constructor(private readonly store: Pick<RoomStore, 'openCues'>, private readonly clock: Clock) {}

  async of(roomId: string): Promise<readonly Cue[]> {
    const now = this.clock();
    let read = this.#read.get(roomId);
    if (read === undefined || now - read.at >= OPEN_CUES_LIMITS.freshMs) {
      read = { at: now, cues: this.store.openCues(roomId, now) };
      this.#read.set(roomId, read);
      read.cues.catch(() => { this.forget(roomId); });
    }
    return (await read.cues).filter(({ endsAt }) => endsAt > now);
  }

  /** A cue has come. */
  forget(roomId: string): void {
    this.#read.delete(roomId);
  }
}
