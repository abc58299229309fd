import { AppError } from '../errors.js';
import { MODEL_LIMITS } from './model.js';

export const SCORE_POOL_LIMITS = {
  /**
   * Requests between writing their features and having their scores, per process. A run takes about 0.1 ms, so the
   * last in line waits some 25 ms; beyond that the fallback scorer answers sooner. Slots are made when first needed.
   */
  slotsMax: 256,
} as const;

/** Buffers of one request: the engine's features of the shopper and of its candidates, row-major. */
export class ScoreSlot {
  readonly user: Float32Array;
  readonly items: Float32Array;
  /** The pool's notes: whether the request that acquired the slot still holds it, and how many runs read it. */
  held = false;
  runs = 0;

  constructor(userWidth: number, itemWidth: number) {
    this.user = new Float32Array(userWidth);
    this.items = new Float32Array(itemWidth * MODEL_LIMITS.rowsMax);
  }
}

/**
 * A bounded pool of feature buffers. onnxruntime reads a buffer some time after it was given, so a buffer is handed
 * out again only when the request has released it *and* no run reads it any more.
 */
export class ScorePool {
  readonly #free: ScoreSlot[] = [];
  #made = 0;

  constructor(readonly userWidth: number, readonly itemWidth: number, readonly slotsMax: number = SCORE_POOL_LIMITS.slotsMax) {}

  /** Slots in use. */
  get used(): number {
    return this.#made - this.#free.length;
  }

  /** @throws AppError `overloaded` when all slots are in use */
  acquire(): ScoreSlot {
    const slot = this.#free.pop() ?? this.#make();
    slot.held = true;
    return slot;
  }

  /** The request is done with the slot; to release it twice does no harm. */
  release(slot: ScoreSlot): void {
    if (!slot.held) return;
    slot.held = false;
    if (slot.runs === 0) this.#free.push(slot);
  }

  /** A run begins to depend on a slot that is in use. */
  beginRun(slot: ScoreSlot): void {
    slot.runs += 1;
  }

  endRun(slot: ScoreSlot): void {
    slot.runs -= 1;
    if (slot.runs === 0 && !slot.held) this.#free.push(slot);
  }

  #make(): ScoreSlot {
    if (this.#made >= this.slotsMax) {
      throw new AppError('overloaded', `All ${this.slotsMax} scoring buffers are in use; try again in a moment.`);
    }
    this.#made += 1;
    return new ScoreSlot(this.userWidth, this.itemWidth);
  }
}
