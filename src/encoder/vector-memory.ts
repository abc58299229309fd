import { KERNEL_FLOATS, makeDotKernel, type DotKernel } from './dot-kernel.js';

/** Vectors by place, in memory that the kernel reads, beside room for one query and its scores. */
export class VectorMemory {
  /** Floats from one vector to the next: `width`, rounded up for the kernel; the rest of each stays zero. */
  readonly stride: number;
  /** [size × stride] */
  readonly vectors: Float32Array;
  /** [stride] The query of `dot`. */
  readonly query: Float32Array;
  /** [scoresMax] What `dot` gave. */
  readonly scores: Float32Array;
  readonly #places: Uint32Array;
  /** Every place in order: a range of vectors is a part of it. */
  readonly #allPlaces: Uint32Array;
  readonly #dot: DotKernel;

  /**
   * @param size vectors
   * @param width floats of each
   * @param scoresMax scores kept at once
   */
  constructor(size: number, width: number, scoresMax: number) {
    this.stride = Math.ceil(width / KERNEL_FLOATS) * KERNEL_FLOATS;
    const { buffer, dot } = makeDotKernel((size * this.stride + this.stride + scoresMax * 2 + size) * 4);
    let at = 0;
    const place = (words: number): number => {
      at += words * 4;
      return at - words * 4;
    };
    this.vectors = new Float32Array(buffer, place(size * this.stride), size * this.stride);
    this.query = new Float32Array(buffer, place(this.stride), this.stride);
    this.scores = new Float32Array(buffer, place(scoresMax), scoresMax);
    this.#places = new Uint32Array(buffer, place(scoresMax), scoresMax);
    this.#allPlaces = new Uint32Array(buffer, place(size), size);
    for (let i = 0; i < size; i++) this.#allPlaces[i] = i;
    this.#dot = dot;
  }

  vector(place: number): Float32Array {
    return this.vectors.subarray(place * this.stride, (place + 1) * this.stride);
  }

  /** `scores[to + i] = vector[from + i] · query` for `count` vectors. */
  dotRange(from: number, count: number, to = 0): void {
    this.#run(this.#allPlaces.byteOffset + from * 4, count, to);
  }

  /** `scores[i] = vector[places[i]] · query` */
  dotAt(places: ArrayLike<number>, count: number): void {
    for (let i = 0; i < count; i++) this.#places[i] = places[i]!;
    this.#run(this.#places.byteOffset, count, 0);
  }

  #run(places: number, count: number, to: number): void {
    if (to + count > this.scores.length) throw new RangeError(`vectors: ${to + count} scores, where there is room for ${this.scores.length}`);
    this.#dot(places, count, this.stride * 4, this.query.byteOffset, this.scores.byteOffset + to * 4);
  }
}
