import { Tensor } from 'onnxruntime-node';
import { seededRandom } from '../util/random.js';
import { redeclared, scanned, type BatchGraph } from './batch-graph.js';
import type { ModelFiles } from './manifest.js';
import { Session } from './session.js';

const PROOF = {
  /** Users and rows of each that a batch is tried on. */
  users: 5, rows: 3,
  /** Numbers added to the golden inputs, so that no two are the same. */
  noise: 0.5,
  seed: 1,
  /** A score may differ from that of a run by itself by so much, times the larger of 1 and the score. */
  tolerance: 1e-4,
} as const;

/**
 * Scores several users in one run, each with as many rows as the others.
 *
 * The contract of a model is one user a run, and a run costs about 20 µs before it computes anything. Measured on models/response,
 * CPU µs per user with 5 rows, 256 users: a run each 22; the graph as body of a `Scan` 7.7; declared anew with an axis of users 1.5
 * (with 9 rows: 23, 8.5, 2.4). So the last where it holds, and the `Scan` for every other graph (trees, `Gemm`, what PyTorch exports:
 * 4 to 12 against 16 to 28). 256 users hold up the event loop for 0.4 to 3 ms.
 */
export class BatchScorer {
  private constructor(private readonly session: Session, private readonly names: Pick<BatchGraph, 'user' | 'items' | 'score'>) {}

  /**
   * @param single the model, as it was proven
   * @returns undefined when no batch of it gives the scores that runs by themselves do
   */
  static async open(where: string, single: Session, files: ModelFiles): Promise<BatchScorer | undefined> {
    for (const rewrite of [redeclared, scanned]) {
      const scorer = await BatchScorer.#prove(where, rewrite, single, files);
      if (scorer !== undefined) return scorer;
    }
    return undefined;
  }

  static async #prove(where: string, rewrite: (model: Uint8Array) => BatchGraph, single: Session, files: ModelFiles): Promise<BatchScorer | undefined> {
    let scorer: BatchScorer | undefined;
    try {
      const { onnx, ...names } = rewrite(files.onnx);
      scorer = new BatchScorer(await Session.open(where, onnx, true), names);
      if (await givesTheSame(scorer, single, files)) return scorer;
    } catch {
      // onnxruntime refuses it, or a run of it failed: the next way may do.
    }
    await scorer?.retire();
    return undefined;
  }

  /**
   * @param users `count` users, as the model reads them
   * @param items `rows` rows of each, user by user
   * @param onStart called right before the native run; if it throws, the run does not take place
   * @returns `count · rows` scores
   */
  async score(users: Float32Array, items: Float32Array, { count, rows }: { count: number; rows: number }, onStart?: () => void): Promise<Float32Array> {
    const { user, items: input, score } = this.names;
    const userTensor = new Tensor('float32', users, [count, 1, users.length / count]);
    return this.session.run({
      get [user]() {
        onStart?.();
        return userTensor;
      },
      [input]: new Tensor('float32', items, [count, rows, items.length / (count * rows)]),
    }, score);
  }

  async retire(): Promise<void> {
    await this.session.retire();
  }
}

/** Tries a batch of what the golden cases have, a little changed. */
async function givesTheSame(scorer: BatchScorer, single: Session, { golden, manifest }: ModelFiles): Promise<boolean> {
  const random = seededRandom(PROOF.seed);
  const noisy = (values: readonly number[]): number[] => values.map((value) => value + PROOF.noise * (random() - 0.5));
  const { cases } = golden;
  const [userWidth, itemWidth] = [manifest.userFeatures.length, manifest.itemFeatures.length];
  const users = Float32Array.from(Array.from({ length: PROOF.users }, (_, i) => noisy(cases[i % cases.length]!.user)).flat());
  const items = Float32Array.from(Array.from({ length: PROOF.users * PROOF.rows }, (_, i) => {
    const { items: known } = cases[i % cases.length]!;
    return noisy(known[i % known.length]!);
  }).flat());
  const together = await scorer.score(users, items, { count: PROOF.users, rows: PROOF.rows });
  if (together.length !== PROOF.users * PROOF.rows) return false;
  for (let i = 0; i < PROOF.users; i++) {
    const alone = await single.run({
      user: new Tensor('float32', users.slice(i * userWidth, (i + 1) * userWidth), [1, userWidth]),
      items: new Tensor('float32', items.slice(i * PROOF.rows * itemWidth, (i + 1) * PROOF.rows * itemWidth), [PROOF.rows, itemWidth]),
    }, 'score');
    for (let row = 0; row < PROOF.rows; row++) {
      const [expected, found] = [alone[row]!, together[i * PROOF.rows + row]!];
      if (!(Math.abs(found - expected) <= PROOF.tolerance * Math.max(1, Math.abs(expected)))) return false;
    }
  }
  return true;
}
