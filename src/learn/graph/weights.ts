import { gaussian, type Random } from '../../util/random.js';

/** How a parameter begins: the same number everywhere, or normal deviates. */
export type Initial = { readonly fill: number } | { readonly deviation: number };

export interface Weight {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/**
 * The dense parameters of a network by name. They outlive the graphs made from them: the training graph changes them in
 * place, the serving graph is made with what they have become.
 */
export class Weights {
  readonly #all = new Map<string, Weight>();

  /** @param random draws the initial values, in the order in which parameters are first named */
  constructor(readonly random: Random) {}

  get(name: string, shape: readonly number[], initial: Initial): Weight {
    const known = this.#all.get(name);
    if (known !== undefined) {
      if (known.shape.join() !== shape.join()) throw new Error(`parameter ${name} is [${known.shape.join()}], not [${shape.join()}]`);
      return known;
    }
    const values = new Float32Array(shape.reduce((product, length) => product * length, 1));
    if ('fill' in initial) values.fill(initial.fill);
    else for (let i = 0; i < values.length; i++) values[i] = gaussian(this.random) * initial.deviation;
    const weight: Weight = { shape: [...shape], values };
    this.#all.set(name, weight);
    return weight;
  }

  /** In the order in which they were first named. */
  entries(): Iterable<[string, Weight]> {
    return this.#all.entries();
  }
}
