import { GraphBuilder, type Attributes, type ElementType } from '../onnx.js';
import { broadcastShape, sameShape, showShape, sizeOf, type Shape } from './shape.js';
import type { Initial, Weight, Weights } from './weights.js';

/**
 * Reverse-mode differentiation that writes ONNX. Operators (./ops.ts) and losses (./losses.ts) called on values of a tape
 * add their forward nodes to one graph and note how a gradient goes back through them; `trainingModel` then adds the
 * backward nodes, so that a training step is one run of one graph by onnxruntime. A network is a function of a tape:
 *
 * ```ts
 * const weights = new Weights(seededRandom(7));
 * const network = (x: Value): Value => linear(dropout(relu(linear(x, 'first', 64)), 0.2), 'last', 1);
 *
 * // Learn: 32 lists of at most 100 rows with 20 features a step.
 * const tape = new Tape('train', weights, { training: true });
 * const scores = reshape(network(tape.input('x', [3200, 20])), [32, 100]);
 * const loss = listwiseSoftmax(scores, tape.input('present', [32, 100]), tape.input('worth', [32, 100]));
 * const training = await TrainingGraph.compile(tape, loss, { seed: 7, rate: 1e-3 });
 * for (const { x, present, worth } of batches) total += await training.step({ x, present, worth });
 *
 * // Serve: the same function with the weights as constants, for any number of rows.
 * const serving = new Tape('serve', weights, { training: false });
 * const score = reshape(network(serving.input('items', ['N', 20])), ['N']);
 * const onnx = serving.model({ score });
 * ```
 */
export class Tape {
  readonly training: boolean;
  readonly weights: Weights;
  /** Random factors that a training step draws anew: the inputs of dropout. */
  readonly masks: { readonly name: string; readonly size: number; readonly shape: readonly number[]; readonly ratio: number }[] = [];
  readonly inputs = new Map<string, { readonly shape: Shape; readonly type: ElementType }>();
  readonly #builder: GraphBuilder;
  readonly #parameters = new Map<string, { readonly value: Value; readonly weight: Weight }>();
  readonly #rows = new Map<string, Value>();
  readonly #constants = new Map<string, Value>();
  readonly #records: { readonly output: Value; readonly ways: readonly Way[] }[] = [];

  /** @param options.training false: parameters become constants, dropout does nothing, and nothing can be differentiated */
  constructor(name: string, weights: Weights, { training }: { training: boolean }) {
    this.#builder = new GraphBuilder(name);
    this.weights = weights;
    this.training = training;
  }

  /** What is fed at each run. A named length (`'N'`) is known only then; training needs numbers wherever a mean is taken. */
  input(name: string, shape: Shape, type: ElementType = 'float'): Value {
    this.inputs.set(name, { shape, type });
    return new Value(this, this.#builder.input(name, shape, type), shape, false);
  }

  /** Fed like an input, and its gradient is read after each step: rows gathered from an embedding table too large for the graph. */
  rows(name: string, shape: readonly number[]): Value {
    const { tape, shape: known } = this.input(name, shape);
    const value = new Value(tape, name, known, this.training);
    this.#rows.set(name, value);
    return value;
  }

  parameter(name: string, shape: readonly number[], initial: Initial): Value {
    const known = this.#parameters.get(name);
    if (known !== undefined) return known.value;
    const weight = this.weights.get(name, shape, initial);
    if (this.training) this.#builder.input(name, shape);
    else this.#builder.floats(name, weight.values, shape);
    const value = new Value(this, name, shape, this.training);
    this.#parameters.set(name, { value, weight });
    return value;
  }

  /** Random factors of dropout, drawn at each step: 0 with probability `ratio`, else 1 / (1 − ratio). */
  mask(shape: Shape, ratio: number): Value {
    const sizes = shape.map((length) => sizeOf([length]));
    const name = `mask_${this.masks.length}`;
    this.masks.push({ name, size: sizeOf(sizes), shape: sizes, ratio });
    return new Value(this, this.#builder.input(name, sizes), sizes, false);
  }

  constant(values: number | readonly number[], shape: readonly number[] = []): Value {
    const list = typeof values === 'number' ? [values] : values;
    return this.#once(`${showShape(shape)} ${list.join()}`, (name) => new Value(this, this.#builder.floats(name, list, shape), shape, false));
  }

  integers(values: readonly number[], shape: readonly number[] = [values.length]): Value {
    return this.#once(`whole ${showShape(shape)} ${values.join()}`, (name) => new Value(this, this.#builder.integers(name, values, shape), shape, false));
  }

  /** Adds an operator that nothing goes back through: the backward pass itself, or the raw forward of a recorded one. */
  emit(type: string, inputs: readonly Value[], shape: Shape, attributes: Attributes = {}): Value {
    return new Value(this, this.#builder.op(type, inputs.map(({ name }) => name), attributes), shape, false);
  }

  /** The same for an operator with several outputs. */
  emitAll(type: string, inputs: readonly Value[], shapes: readonly Shape[], attributes: Attributes = {}): Value[] {
    const names = shapes.map(() => this.#builder.newName(type));
    this.#builder.ops(type, inputs.map(({ name }) => name), attributes, names);
    return names.map((name, i) => new Value(this, name, shapes[i]!, false));
  }

  /** An operator's result, with the ways on which its gradient goes back to what it was made of. */
  record(result: Value, ...ways: Way[]): Value {
    const tracked = ways.filter(([parent]) => parent.tracked);
    if (tracked.length === 0) return result;
    const output = new Value(this, result.name, result.shape, true);
    this.#records.push({ output, ways: tracked });
    return output;
  }

  /** The graph that computes the values, each under its key, as the bytes of an `.onnx` file. */
  model(outputs: Readonly<Record<string, Value>>): Uint8Array {
    for (const [name, value] of Object.entries(outputs)) {
      this.#builder.op('Identity', [value.name], {}, name);
      this.#builder.output(name, value.shape);
    }
    return this.#builder.model();
  }

  /** The graph of a training step: outputs `loss`, and `d_<name>` for the gradient of each parameter and of each `rows`. */
  trainingModel(loss: Value): { bytes: Uint8Array; parameters: ReadonlyMap<string, Weight>; rows: ReadonlyMap<string, readonly number[]> } {
    if (loss.shape.length > 0) throw new Error(`a loss is one number, not ${showShape(loss.shape)}`);
    const gradients = this.#backward(loss);
    const leaves = [...[...this.#parameters.values()].map(({ value }) => value), ...this.#rows.values()];
    const outputs: Record<string, Value> = { loss };
    for (const leaf of leaves) {
      const gradient = gradients.get(leaf.name);
      if (gradient === undefined) throw new Error(`the loss does not depend on ${leaf.name}`);
      outputs[`d_${leaf.name}`] = gradient;
    }
    return {
      bytes: this.model(outputs),
      parameters: new Map([...this.#parameters].map(([name, { weight }]) => [name, weight])),
      rows: new Map([...this.#rows].map(([name, { shape }]) => [name, shape.map((length) => sizeOf([length]))])),
    };
  }

  /** Gradient of the loss by the name of each value it depends on, latest first. */
  #backward(loss: Value): Map<string, Value> {
    const gradients = new Map([[loss.name, this.constant(1)]]);
    for (const { output, ways } of this.#records.toReversed()) {
      const gradient = gradients.get(output.name);
      if (gradient === undefined) continue;
      for (const [parent, back] of ways) {
        const part = back(gradient);
        if (!sameShape(part.shape, parent.shape)) {
          throw new Error(`gradient of ${parent.name} is ${showShape(part.shape)}, not ${showShape(parent.shape)}`);
        }
        const sum = gradients.get(parent.name);
        gradients.set(parent.name, sum === undefined ? part : this.emit('Add', [sum, part], broadcastShape(sum.shape, part.shape)));
      }
    }
    return gradients;
  }

  #once(key: string, make: (name: string) => Value): Value {
    let value = this.#constants.get(key);
    if (value === undefined) this.#constants.set(key, value = make(`constant_${this.#constants.size}`));
    return value;
  }
}

/** A value of the graph. `tracked`: a gradient goes back through it. */
export class Value {
  constructor(readonly tape: Tape, readonly name: string, readonly shape: Shape, readonly tracked: boolean) {}
}

/** From the gradient of an operator's result to that of one thing it was made of, in that thing's shape. */
export type Way = readonly [parent: Value, back: (gradient: Value) => Value];
