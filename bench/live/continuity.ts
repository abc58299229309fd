/** Where a channel stands: `epoch` names the life of its log, `offset` counts frames from 1 without gaps. */
export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** What the engine answers to a subscription, or says of its own accord when it lost the thread. */
export interface Subscribed extends Position {
  /** Of a resume: the missed frames follow, or do not. Absent where nothing was to be resumed. */
  readonly recovered?: boolean | undefined;
}

/** What is promised of a resume. */
export const RESUME_WINDOW = { frames: 300, ms: 120_000 } as const;

export type Rule =
  /** A frame is missing before this one. */
  | 'gap'
  /** A frame that was there before, or one out of turn. */
  | 'duplicate'
  /** A frame of another life of the log than the one subscribed to. */
  | 'other_epoch'
  /** A frame before the subscription was answered. */
  | 'unsubscribed'
  /** A resume continues somewhere else than where the client stood. */
  | 'wrong_position'
  /** A resume was not answered with yes or no. */
  | 'no_answer'
  /** A resume within the window was refused. */
  | 'lost_in_window';

export interface Breach {
  readonly rule: Rule;
  readonly what: string;
}

/** What a client is told on one channel, over all its connections: nothing missing, nothing twice, all in order, or an honest `recovered: false`. */
export class Continuity {
  #position: Position | undefined;
  #isResuming = false;
  /** When the connection before ended, ms. */
  #leftAt: number | undefined;
  /** False from a new connection until its subscription is answered. */
  #isSubscribed = false;
  /** Resumes by their answer. */
  recovered = 0;
  lost = 0;

  /** To resume from; undefined: the client has never been subscribed. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** On the connection that is there now. */
  get isSubscribed(): boolean {
    return this.#isSubscribed;
  }

  /** The connection is gone. @param at ms */
  left(at: number): void {
    this.#isSubscribed = false;
    this.#leftAt ??= at;
  }

  /** A subscription was sent on a new connection, from `position` where there is one. */
  asked(): void {
    this.#isSubscribed = false;
    this.#isResuming = this.#position !== undefined;
  }

  /** @param at ms */
  subscribed({ epoch, offset, recovered }: Subscribed, at: number): Breach | undefined {
    const [before, isResuming, leftAt] = [this.#position, this.#isResuming, this.#leftAt];
    this.#position = { epoch, offset };
    this.#isSubscribed = true;
    this.#isResuming = false;
    this.#leftAt = undefined;
    if (recovered === true) this.recovered += 1;
    if (recovered === false) this.lost += 1;
    if (before === undefined || (!isResuming && recovered === false)) return undefined;
    if (recovered === undefined) return { rule: 'no_answer', what: `resumed from ${text(before)}, told neither yes nor no` };
    if (recovered) return before.epoch === epoch && before.offset === offset ? undefined : { rule: 'wrong_position', what: `resumed from ${text(before)}, continues from ${text({ epoch, offset })}` };
    const awayMs = leftAt === undefined ? 0 : at - leftAt;
    const isInWindow = before.epoch === epoch && offset - before.offset <= RESUME_WINDOW.frames && awayMs <= RESUME_WINDOW.ms;
    return isInWindow ? { rule: 'lost_in_window', what: `resumed from ${text(before)} after ${Math.round(awayMs)} ms, refused at ${text({ epoch, offset })}` } : undefined;
  }

  /** A frame of the log. */
  frame({ epoch, offset }: Position): Breach | undefined {
    const before = this.#position;
    if (before === undefined || !this.#isSubscribed) return { rule: 'unsubscribed', what: `${text({ epoch, offset })} before the subscription was answered` };
    const told = (rule: Rule): Breach => ({ rule, what: `${text({ epoch, offset })} after ${text(before)}` });
    if (epoch === before.epoch && offset <= before.offset) return told('duplicate');
    // From here on it continues behind the frame, so that one gap is one breach.
    this.#position = { epoch, offset };
    if (epoch !== before.epoch) return told('other_epoch');
    return offset === before.offset + 1 ? undefined : told('gap');
  }
}

const text = ({ epoch, offset }: Position): string => `${epoch}-${offset}`;
