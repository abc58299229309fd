import type { ChannelAddress } from '../domain/channel.js';
import { breathe } from '../util/pause.js';
import type { Member } from './audience.js';

const FAN_OUT_LIMITS = {
  /** Members told in one turn of the event loop: about 5 ms. */
  perTurn: 512,
  /** Frames under way to the members; a further one waits for none of them. */
  framesMax: 32,
} as const;

/** Somebody's membership, from a join to a leave or to the next join. */
interface Seat {
  readonly member: Member;
  isOver: boolean;
}

interface Sending {
  readonly frame: Buffer;
  readonly stateKey: string | undefined;
  /** Whoever was here when it came. */
  readonly seats: readonly Seat[];
  next: number;
}

/**
 * The members of one channel, and frames on their way to them: in order to each, but to thousands not in one go, because nothing else would
 * happen in this process for as long as that takes.
 */
export class FanOut implements Iterable<Member> {
  readonly #channel: ChannelAddress;
  /** In order of arrival. */
  readonly #seats = new Map<Member, Seat>();
  /** Told in part; undefined while there is none. */
  #sending: Sending[] | undefined;

  constructor(channel: ChannelAddress) {
    this.#channel = channel;
  }

  [Symbol.iterator](): Iterator<Member> {
    return this.#seats.keys();
  }

  get size(): number {
    return this.#seats.size;
  }

  /** From now on a member; one who is already gets nothing of what is still on its way. @returns whether it is new */
  add(member: Member): boolean {
    const isNew = !this.remove(member);
    this.#seats.set(member, { member, isOver: false });
    return isNew;
  }

  /** @returns whether it was a member */
  remove(member: Member): boolean {
    const seat = this.#seats.get(member);
    if (seat !== undefined) seat.isOver = true;
    return this.#seats.delete(member);
  }

  send(frame: Buffer, stateKey: string | undefined): void {
    const { perTurn, framesMax } = FAN_OUT_LIMITS;
    if (this.#sending === undefined && this.#seats.size <= perTurn) {
      for (const member of this.#seats.keys()) member.deliver(this.#channel, frame, stateKey);
      return;
    }
    const sending: Sending = { frame, stateKey, seats: [...this.#seats.values()], next: 0 };
    if (this.#sending === undefined) {
      this.#sending = [sending];
      void this.#sendOn();
    } else if (this.#sending.push(sending) > framesMax) {
      for (const one of this.#sending) this.#sendSome(one, Infinity);
    }
  }

  /** Forgets what is on its way. */
  clear(): void {
    if (this.#sending !== undefined) this.#sending.length = 0;
  }

  async #sendOn(): Promise<void> {
    for (let left: number = FAN_OUT_LIMITS.perTurn; this.#sending?.[0] !== undefined;) {
      left -= this.#sendSome(this.#sending[0], left);
      if (this.#sending[0]?.next === this.#sending[0]?.seats.length) this.#sending.shift();
      if (left > 0) continue;
      await breathe();
      left = FAN_OUT_LIMITS.perTurn;
    }
    this.#sending = undefined;
  }

  /** @returns how many were told */
  #sendSome(sending: Sending, max: number): number {
    const { frame, stateKey, seats } = sending;
    const from = sending.next;
    sending.next = Math.min(seats.length, from + max);
    for (let i = from; i < sending.next; i++) {
      const { member, isOver } = seats[i]!;
      if (!isOver) member.deliver(this.#channel, frame, stateKey);
    }
    return sending.next - from;
  }
}
