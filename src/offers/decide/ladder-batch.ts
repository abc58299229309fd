import type { Scene } from '../../domain/scene.js';
import { USER_FEATURES, writeUserFeatures } from '../../profile/vector.js';
import { likelyOrder, OFFER_FEATURES, writeOfferRows, type OfferSituation } from './offer-features.js';
import { priorScores } from './prior.js';
import { drawOne, type Drawn, type LiveCase } from './weigh.js';

const USERS = USER_FEATURES.length;
const WIDTH = OFFER_FEATURES.length;

interface Seat {
  /** What is left for the viewer; row i + 1 is of the i-th. */
  readonly eligible: LiveCase[];
  /** Of the draws. */
  readonly seed: number;
  /** The purchase that an offer would be used on, minor units. */
  readonly order: number;
}

/**
 * The offers of a ladder for many viewers: the features of all in two buffers for one run of the model, then for each a draw among what is
 * to be had, as often as something of it turns out not to be.
 */
export class LadderBatch {
  /** Rows of each viewer: none, and the offers; those that a viewer has not are left 0. */
  readonly rows: number;
  readonly users: Float32Array;
  readonly items: Float32Array;
  readonly #seats: Seat[] = [];
  #scores: Float32Array = new Float32Array(0);
  /** Standard error of a logit. */
  #error = 0;

  /** @param viewersMax seats there are */
  constructor(viewersMax: number, offers: number) {
    this.rows = offers + 1;
    this.users = new Float32Array(viewersMax * USERS);
    this.items = new Float32Array(viewersMax * this.rows * WIDTH);
  }

  get count(): number {
    return this.#seats.length;
  }

  /**
   * @param viewer `eligible` is changed by `drop`; of the situation nothing is kept
   * @returns the seat
   */
  add({ eligible, seed, situation, scene }: { eligible: LiveCase[]; seed: number; situation: OfferSituation; scene: Scene }): number {
    const index = this.#seats.push({ eligible, seed, order: likelyOrder(situation) }) - 1;
    writeUserFeatures(this.#user(index), situation.profile, scene, situation.now);
    writeOfferRows(this.#rowsOf(index), eligible.map(({ prepared }) => prepared), situation);
    return index;
  }

  /** @param scores a logit by row, viewer by viewer */
  score(scores: Float32Array, error: number): void {
    this.#scores = scores;
    this.#error = error;
  }

  /** Scores as they are believed without a model. */
  scoreByPrior(error: number): void {
    const scores = new Float32Array(this.count * this.rows);
    for (let i = 0; i < this.count; i++) scores.set(priorScores(this.#user(i), this.#rowsOf(i), this.rows), i * this.rows);
    this.score(scores, error);
  }

  /** Draws for a viewer who has something left. */
  draw(index: number): Drawn {
    const { eligible, order, seed } = this.#seats[index]!;
    return drawOne(eligible, { scores: this.#scoresOf(index), error: this.#error, order, seed });
  }

  /** Takes an offer away from a viewer, as if it had never been for them. @returns whether anything is left */
  drop(index: number, offer: LiveCase): boolean {
    const { eligible } = this.#seats[index]!;
    const row = eligible.indexOf(offer) + 1;
    eligible.splice(row - 1, 1);
    this.#scoresOf(index).copyWithin(row, row + 1);
    this.#rowsOf(index).copyWithin(row * WIDTH, (row + 1) * WIDTH);
    return eligible.length > 0;
  }

  /** What a decision is logged with. */
  vectors(index: number): { user: Float32Array; rows: Float32Array; noneScore: number } {
    return { user: this.#user(index), rows: this.#rowsOf(index), noneScore: this.#scoresOf(index)[0]! };
  }

  #user(index: number): Float32Array {
    return this.users.subarray(index * USERS, (index + 1) * USERS);
  }

  #rowsOf(index: number): Float32Array {
    return this.items.subarray(index * this.rows * WIDTH, (index + 1) * this.rows * WIDTH);
  }

  #scoresOf(index: number): Float32Array {
    return this.#scores.subarray(index * this.rows, (index + 1) * this.rows);
  }
}
