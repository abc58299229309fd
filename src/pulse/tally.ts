import type { RoomBatch, RoomComment } from '../domain/interaction.js';
import type { Sentiment } from './sentiment.js';

export const TALLY_LIMITS = {
  /** Comments of one batch that are shown, the latest; the others are counted. */
  saidMax: 20,
  /** Topics of one batch. */
  topicsMax: 200,
  /** Voters, and shoppers who came, that wait to be told … */
  votersMax: 20_000,
  joinedMax: 20_000,
  /** … and of either in one batch: the rest comes with the next. */
  batchMax: 2000,
} as const;

/** What happened in a room since it was last told to the others: small however much happens. */
export class RoomTally {
  #counts = { likes: 0, gifts: 0, comments: 0, questions: 0 };
  #goals = new Map<string, number>();
  #votes = new Map<string, RoomBatch['votes'][number]>();
  #moods = new Map<string, number>();
  #topics = new Map<string, number>();
  #carts = new Map<string, number>();
  #said: RoomComment[] = [];
  #joined = new Set<string>();
  #isEmpty = true;

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  like(count: number): void {
    this.#counts.likes += count;
    this.#isEmpty = false;
  }

  /** @param goals numbers of the cues it counts for */
  gift(count: number, goals: readonly number[]): void {
    this.#counts.gifts += count;
    for (const goal of goals) add(this.#goals, String(goal), count);
    this.#isEmpty = false;
  }

  /** @returns false when too many voters wait already */
  vote(number: number, voter: string, option: number, options: number): boolean {
    const key = `${number}:${voter}`;
    if (!this.#votes.has(key) && this.#votes.size >= TALLY_LIMITS.votersMax) return false;
    this.#votes.set(key, [number, voter, option, options]);
    this.#isEmpty = false;
    return true;
  }

  /** @param topics of a question */
  say(comment: RoomComment, mood: Sentiment, topics: readonly string[]): void {
    this.#counts.comments += 1;
    if (comment.kind === 'question') this.#counts.questions += 1;
    add(this.#moods, mood, 1);
    for (const topic of topics) if (this.#topics.has(topic) || this.#topics.size < TALLY_LIMITS.topicsMax) add(this.#topics, topic, 1);
    this.#said.push(comment);
    if (this.#said.length > TALLY_LIMITS.saidMax) this.#said.shift();
    this.#isEmpty = false;
  }

  /** @param itemId of a product of the room, of which there are few */
  cart(itemId: string): void {
    add(this.#carts, itemId, 1);
    this.#isEmpty = false;
  }

  join(shopper: string): void {
    if (this.#joined.size >= TALLY_LIMITS.joinedMax) return;
    this.#joined.add(shopper);
    this.#isEmpty = false;
  }

  /** @returns what there is, as much as fits into one batch, and goes on with the rest */
  take(): RoomBatch {
    const batch: RoomBatch = {
      ...this.#counts, goals: Object.fromEntries(this.#goals), votes: takeFirst(this.#votes).map(([, vote]) => vote), moods: Object.fromEntries(this.#moods),
      topics: Object.fromEntries(this.#topics), carts: Object.fromEntries(this.#carts), said: this.#said, joined: takeFirst(this.#joined).map(([shopper]) => shopper),
    };
    this.#counts = { likes: 0, gifts: 0, comments: 0, questions: 0 };
    for (const map of [this.#goals, this.#moods, this.#topics, this.#carts]) map.clear();
    this.#said = [];
    this.#isEmpty = this.#votes.size === 0 && this.#joined.size === 0;
    return batch;
  }
}

function takeFirst<V>(from: Map<string, V> | Set<string>): [string, V][] {
  const taken = [...from.entries()].slice(0, TALLY_LIMITS.batchMax) as [string, V][];
  for (const [key] of taken) from.delete(key);
  return taken;
}

function add(counts: Map<string, number>, key: string, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}
