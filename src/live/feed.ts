import type { ChannelAddress, LoggedFrame, LogPart, Position } from '../domain/channel.js';
import type { Member } from './audience.js';
import { FanOut } from './fan-out.js';

/** The last frames of a room that are kept here, so that a crowd that comes back at once costs Redis nothing. */
const KEPT_FRAMES_MAX = 300;

/** What a pushed message is: `<epoch>-<offset> <frame>`, the same after `~` for a state frame, or a notice. */
export type Message =
  | { readonly kind: 'logged' | 'state'; readonly frame: LoggedFrame }
  | { readonly kind: 'touched' };

/** Frames that a member missed; `elsewhere`: they are not here but may be in the log; `lost`: they are nowhere. */
export type Missed = readonly LoggedFrame[] | 'elsewhere' | 'lost';

/** One channel as this process knows it: who listens, where its log stands and its last frames. */
export class Feed {
  readonly address: ChannelAddress;
  readonly roomId: string | undefined;
  readonly members: FanOut;
  /** Who will be a member when the feed is current. */
  readonly joining = new Set<Member>();
  /** Redis has confirmed the subscription where the channel is now. */
  isLive = false;
  /** No frame up to the head is missing, and the next one will come. */
  isCurrent = false;
  /** Something may have been missed since the last look into the log. */
  isBehind = false;
  /** The log is being read. */
  isReading = false;
  /** Those who wait for it to be current. */
  waiting: (() => void)[] = [];
  /** Where the first member wants to go on. */
  wanted: Position | undefined;
  #epoch: string | undefined;
  #offset = 0;
  #kept: LoggedFrame[] = [];

  constructor(address: ChannelAddress) {
    this.address = address;
    this.members = new FanOut(address);
    this.roomId = address.name.startsWith('room:') ? address.name.slice('room:'.length) : undefined;
  }

  get isUsed(): boolean {
    return this.members.size > 0 || this.joining.size > 0;
  }

  /** Where members stand; undefined until the log was read. */
  get head(): Position | undefined {
    return this.#epoch === undefined ? undefined : { epoch: this.#epoch, offset: this.#offset };
  }

  /** What is to be read of the log: what comes after the head, or enough to begin with. */
  get unread(): Position | number {
    return this.head ?? (this.roomId === undefined ? this.wanted ?? 0 : KEPT_FRAMES_MAX);
  }

  /** How a frame goes on from the head: it is the next one, was there before, or comes after others. */
  orderOf({ epoch, offset }: Position): 'next' | 'old' | 'ahead' {
    if (epoch !== this.#epoch) return Number(epoch) < Number(this.#epoch) ? 'old' : 'ahead';
    return offset <= this.#offset ? 'old' : offset === this.#offset + 1 ? 'next' : 'ahead';
  }

  /** Moves the head to a frame. */
  accept(frame: LoggedFrame): void {
    this.#epoch = frame.epoch;
    this.#offset = frame.offset;
    if (this.roomId === undefined) {
      // A shopper's are but theirs: thousands listen for hours, and of those who come back few meet another tab of their own here.
      this.#kept.length = 0;
      return;
    }
    this.#kept.push(frame);
    if (this.#kept.length > KEPT_FRAMES_MAX) this.#kept.shift();
  }

  /** Begins, or begins anew, at the end of what was read. */
  restart({ head, frames = [] }: LogPart): void {
    this.#epoch = head.epoch;
    this.#offset = head.offset;
    this.#kept = [...frames];
  }

  missedSince({ epoch, offset }: Position): Missed {
    if (epoch !== this.#epoch || offset > this.#offset) return 'lost';
    const count = this.#offset - offset;
    return count > this.#kept.length ? 'elsewhere' : this.#kept.slice(this.#kept.length - count);
  }
}

const [TILDE, BRACE, SPACE] = [0x7e, 0x7b, 0x20];
const HEAD_BYTES_MAX = 48;
const ID = /^(\d{1,20})-(\d{1,15})$/u;

/** @returns undefined for what only a newer process understands */
export function parseMessage(message: Buffer): Message | undefined {
  if (message[0] === BRACE) return typeOf(message) === 'touched' ? { kind: 'touched' } : undefined;
  const isState = message[0] === TILDE;
  const end = message.indexOf(SPACE);
  if (end < 0 || end > HEAD_BYTES_MAX) return undefined;
  const [, epoch, offset] = ID.exec(message.toString('latin1', isState ? 1 : 0, end)) ?? [];
  if (epoch === undefined) return undefined;
  // A copy: what came is a piece of a larger read, which a kept frame would hold on to.
  return { kind: isState ? 'state' : 'logged', frame: { epoch, offset: Number(offset), json: Buffer.from(message.subarray(end + 1)) } };
}

const TYPE = /^\{"type":"([a-z_]{1,32})"/u;

/** @returns the type that a frame begins with, so that it need not be parsed; '' where there is none */
export const typeOf = (frame: Buffer): string => TYPE.exec(frame.toString('latin1', 0, HEAD_BYTES_MAX))?.[1] ?? '';
