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
export interface ScoreSlot {
  readonly user: Float32Array;
  readonly items: Float32Array;
}

/** Who still needs a slot: the request that acquired it, and runs that read it. */
interface Use {
  held: boolean;
  runs: number;
}

/**
 * A bounded pool of feature buffers. onnxruntime reads a buffer some time after it was given, so a buffer is handed
 * out again only when the request has released it *and* no run reads it any more.
 */
export class ScorePool {
  readonly #free: ScoreSlot[] = [];
  readonly #uses = new Map<ScoreSlot, Use>();
  #made = 0;

  constructor(readonly userWidth: number, readonly itemWidth: number, readonly slotsMax: number = SCORE_POOL_LIMITS.slotsMax) {}

  /** Slots in use. */
  get used(): number {
    return this.#uses.size;
  }

  /** @throws AppError `overloaded` when all slots are in use */
  acquire(): ScoreSlot {
    const slot = this.#free.pop() ?? this.#make();
    this.#uses.set(slot, { held: true, runs: 0 });
    return slot;
  }

  /** The request is done with the slot; to release it twice does no harm. */
  release(slot: ScoreSlot): void {
    const use = this.#uses.get(slot);
    if (use === undefined) return;
    use.held = false;
    this.#reclaim(slot, use);
  }

  /** A run begins to depend on a slot that is in use. */
  beginRun(slot: ScoreSlot): void {
    this.#uses.get(slot)!.runs += 1;
  }

  endRun(slot: ScoreSlot): void {
    const use = this.#uses.get(slot)!;
    use.runs -= 1;
    this.#reclaim(slot, use);
  }

  #reclaim(slot: ScoreSlot, use: Use): void {
    if (use.held || use.runs > 0) return;
    this.#uses.delete(slot);
    this.#free.push(slot);
  }

  #make(): ScoreSlot {
    if (this.#made >= this.slotsMax) {
      throw new AppError('overloaded', `All ${this.slotsMax} scoring buffers are in use; try again in a moment.`);
    }
    this.#made += 1;
    return { user: new Float32Array(this.userWidth), items: new Float32Array(this.itemWidth * MODEL_LIMITS.rowsMax) };
  }
}
