import { InferenceSession, Tensor } from 'onnxruntime-node';
import { matmul, reshape } from '../graph/ops.js';
import { trainingSession } from '../graph/session-options.js';
import { Tape } from '../graph/tape.js';
import { historyOf, type Interactions, type Question } from '../task.js';
import { bucketOf, gapOf, HIDDEN } from './attention-bias.js';
import type { EncoderModel } from './model.js';
import { encode } from './network.js';

/** Questions answered in one run, at most … */
const QUESTIONS_MAX = 128;
/** … and scores, of all items for each: 32 MB. */
const SCORES_MAX = 2 ** 23;
/** A wanted item below this place counts nothing. */
const PLACES = 10;

export interface Measured {
  /** Mean over the questions of the mean over their wanted items of 1 / log2(1 + place), places to 10 only: NDCG@10 where one is wanted. */
  readonly ndcg: number;
  /** Share of the wanted items in the first ten places. */
  readonly hits: number;
}

export interface Measurement {
  readonly log: Interactions;
  readonly questions: readonly Question[];
  /** Items of the history are left out of the ranking. */
  readonly excludeHistory: boolean;
  readonly model: EncoderModel;
  readonly threads: number;
}

/** Ranks all items for each question by the encoder, as serving would: by the latest distinct items of the history. */
export async function measure({ log, questions, excludeHistory, model, threads }: Measurement): Promise<Measured> {
  const { items: count, dimensions } = model.shape;
  const batch = Math.max(1, Math.min(QUESTIONS_MAX, Math.floor(SCORES_MAX / count)));
  const session = await scoringSession(model, batch, threads);
  const vectors = model.vectors.composeAll();
  const vectorTensor = new Tensor('float32', vectors, [count, dimensions]);
  const feed = makeFeed(log, model, vectors, batch);
  const scores = new Float32Array(batch * count);
  const fetches = { scores: new Tensor('float32', scores, [batch, count]) };
  let ndcg = 0;
  let hits = 0;
  for (let first = 0; first < questions.length; first += batch) {
    const some = questions.slice(first, first + batch);
    await session.run({ ...feed(some), vectors: vectorTensor }, fetches);
    for (const [i, question] of some.entries()) {
      const own = scores.subarray(i * count, (i + 1) * count);
      if (excludeHistory) for (const item of historyOf(log, question)) own[item] = -Infinity;
      for (const item of question.wanted) {
        const place = placeOf(own, item);
        if (place > PLACES) continue;
        ndcg += 1 / Math.log2(1 + place) / question.wanted.length;
        hits += 1 / question.wanted.length;
      }
    }
  }
  await session.release();
  return { ndcg: ndcg / questions.length, hits: hits / questions.length };
}

async function scoringSession(
  { weights, shape: { items: count, dimensions, historyMax } }: EncoderModel, batch: number, threads: number,
): Promise<InferenceSession> {
  const tape = new Tape('measure', weights, { training: false });
  const items = tape.input('items', [batch, historyMax, dimensions]);
  const user = encode(items, tape.input('bias', [batch, 1, historyMax]), { dropout: 0, latestOnly: true });
  const vectors = tape.input('vectors', [count, dimensions]);
  const scores = matmul(reshape(user, [batch, dimensions]), vectors, { transposeB: true });
  return InferenceSession.create(tape.model({ scores }), trainingSession(threads));
}

function makeFeed(
  log: Interactions, { bias, shape: { dimensions, historyMax } }: EncoderModel, vectors: Float32Array, batch: number,
): (questions: readonly Question[]) => Record<string, Tensor> {
  const items = new Float32Array(batch * historyMax * dimensions);
  const logits = new Float32Array(batch * historyMax);
  const tensors = { items: new Tensor('float32', items, [batch, historyMax, dimensions]), bias: new Tensor('float32', logits, [batch, 1, historyMax]) };
  return (questions) => {
    items.fill(0);
    logits.fill(HIDDEN);
    for (const [row, question] of questions.entries()) {
      for (const [age, { item, at }] of latestDistinct(log, question, historyMax).entries()) {
        const place = (row + 1) * historyMax - 1 - age;
        items.set(vectors.subarray(item * dimensions, (item + 1) * dimensions), place * dimensions);
        logits[place] = bias.ages.values[age]! + bias.gaps.values[bucketOf(gapOf(question.at - at))]!;
      }
    }
    return tensors;
  };
}

/** The latest distinct items of a question's history, latest first. */
function latestDistinct({ offsets, item, at }: Interactions, { shopper, history }: Question, max: number): { item: number; at: number }[] {
  const latest = new Map<number, { item: number; at: number }>();
  const begin = offsets[shopper]!;
  for (let event = begin + history - 1; event >= begin && latest.size < max; event--) {
    const one = item[event]!;
    if (!latest.has(one)) latest.set(one, { item: one, at: at[event]! });
  }
  return [...latest.values()];
}

/** From 1; of equal scores the item comes last, so that an encoder that tells nothing apart gains nothing. */
function placeOf(scores: Float32Array, item: number): number {
  const own = scores[item]!;
  let place = 0;
  for (let i = 0; i < scores.length; i++) if (scores[i]! >= own) place += 1;
  return place;
}
