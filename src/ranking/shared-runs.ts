import { groupBy } from '../util/group-by.js';
import { MODEL_LIMITS } from './model.js';
import type { ScoreSlot } from './score-pool.js';
import type { Scored, ServingModel } from './serving-model.js';

const SHARED_RUN_LIMITS = {
  /** Users of one run: with more of them it takes no less time for each. */
  usersMax: 8,
  /** A run is shared by no more users than this time is enough for, by what the latest one took for each, ms. */
  runMsMax: 5,
} as const;

/** A request for scores, until the end of the turn. */
interface Asked {
  readonly slot: ScoreSlot;
  readonly count: number;
  readonly resolve: (scored: Scored) => void;
  readonly reject: (error: unknown) => void;
}

/** The features of those who share a run. */
interface Gathered {
  readonly users: Float32Array;
  readonly items: Float32Array;
}

/**
 * Lets those who ask a model for scores in the same turn of the event loop share runs, where it can score several users in one: see
 * `BatchScorer`, whose scores are the same. A run costs some 40 µs before it computes anything: with 200 rows each, one user takes
 * 115 µs by itself and 80 among four or more.
 */
export class SharedRuns {
  #asked: Asked[] = [];
  /** Buffers that no run reads. */
  readonly #free: Gathered[] = [];
  /** Time of the latest run for each user, ms. */
  #userMs = Infinity;

  /** @param widths of the slots */
  constructor(private readonly model: ServingModel, private readonly widths: { readonly userWidth: number; readonly itemWidth: number }) {}

  /** Scores the first `count` rows of a slot: see `ServingModel.score`. */
  score(slot: ScoreSlot, count: number): Promise<Scored> {
    return new Promise((resolve, reject) => {
      // After all microtasks: whoever is served by the replies of this turn has asked by then.
      if (this.#asked.length === 0) process.nextTick(() => { this.#start(); });
      this.#asked.push({ slot, count, resolve, reject });
    });
  }

  #start(): void {
    const asked = this.#asked;
    this.#asked = [];
    const most = Math.max(1, Math.min(SHARED_RUN_LIMITS.usersMax, Math.floor(SHARED_RUN_LIMITS.runMsMax / this.#userMs)));
    for (const [count, same] of groupBy(asked, (one) => one.count)) {
      for (let from = 0; from < same.length; from += most) void this.#run(same.slice(from, from + most), count);
    }
  }

  async #run(asked: readonly Asked[], rows: number): Promise<void> {
    try {
      const { scores, model, elapsedMs } = asked.length === 1 ? await this.model.score(asked[0]!.slot, rows) : await this.#together(asked, rows);
      this.#userMs = elapsedMs / asked.length;
      asked.forEach(({ resolve }, i) => { resolve({ scores: scores.subarray(i * rows, (i + 1) * rows), model, elapsedMs: this.#userMs }); });
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }

  async #together(asked: readonly Asked[], rows: number): Promise<Scored> {
    const gathered = this.#free.pop() ?? this.#make();
    const { userWidth, itemWidth } = this.widths;
    asked.forEach(({ slot }, i) => {
      gathered.users.set(slot.user, i * userWidth);
      gathered.items.set(slot.items.subarray(0, rows * itemWidth), i * rows * itemWidth);
    });
    try {
      return await this.model.scoreBatch({ count: asked.length, rows, ...gathered });
    } finally {
      this.#free.push(gathered);
    }
  }

  #make(): Gathered {
    const { usersMax } = SHARED_RUN_LIMITS;
    const { userWidth, itemWidth } = this.widths;
    return { users: new Float32Array(usersMax * userWidth), items: new Float32Array(usersMax * MODEL_LIMITS.rowsMax * itemWidth) };
  }
}
