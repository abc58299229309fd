import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { priorScores } from '../../offers/decide/prior.js';
import { OFFER_FEATURES } from '../../offers/decide/offer-features.js';
import { USER_FEATURES } from '../../profile/vector.js';
import { sha256, type Manifest } from '../../ranking/manifest.js';
import { prepareFolder } from '../make-model.js';
import type { OnProgress } from '../progress.js';
import { saveModel, type GoldenInput } from '../save-model.js';
import { range, type ResponseExamples } from './examples.js';
import { fitResponse, RESPONSE_SETTINGS, type FittedResponse, type ResponseSettings } from './fit-response.js';
import { measureResponse, type ResponseQuality } from './metrics.js';
import { exportResponse, scoreExamples, type ResponseNetwork } from './network.js';
import { responseCard, type MadeResponse } from './response-card.js';

export interface MakeResponseOptions {
  readonly train: ResponseExamples;
  /** Decides when to stop, and calibrates. */
  readonly validation: ResponseExamples;
  /** Judges only. */
  readonly test: ResponseExamples;
  readonly out: string;
  readonly seed: number;
  readonly start?: ResponseNetwork | undefined;
  readonly settings?: ResponseSettings;
  readonly about: Pick<Manifest, 'name' | 'data' | 'licence' | 'trainedAt'>;
  /** How to make it again. */
  readonly command: string;
  readonly onProgress: OnProgress;
}

/** Fits a response model and writes it as a model folder with its card. */
export async function makeResponse(options: MakeResponseOptions): Promise<MadeResponse> {
  const { train, validation, test, out, seed, start, settings = RESPONSE_SETTINGS, about, onProgress } = options;
  const fit = (part: ResponseExamples, name: string, number: number): Promise<FittedResponse> => fitResponse({
    train: part, validation, settings, seed: seed + number, start,
    onEpoch: (epoch, logLoss) => { onProgress({ stage: name, done: epoch + 1, total: settings.epochsMax, note: `validation log loss ${logLoss.toFixed(4)}` }); },
  });
  const { network, epochs, logLoss } = await fit(train, 'response', 0);
  const halves: ResponseNetwork[] = [];
  for (const half of [0, 1]) halves.push((await fit(train.pick(range(0, train.size, (i) => i % 2 === half)), `half ${half + 1}`, half + 1)).network);
  const judged = (logits: Float32Array): ResponseQuality => {
    const { rocAuc, prAuc, logLoss: loss, calibrationError } = measureResponse(logits, test.labels);
    return { rocAuc: round(rocAuc), prAuc: round(prAuc), logLoss: round(loss), calibrationError: round(calibrationError) };
  };
  const quality = {
    model: judged(await scoreExamples(network, test)),
    'prior, not fitted': judged(priorLogits(test)),
    'share of all': judged(new Float32Array(test.size).fill(Math.log(train.rate / (1 - train.rate)))),
  };
  const onnx = exportResponse(network);
  const manifest: MadeResponse['manifest'] = {
    ...about, version: sha256(onnx).slice(0, 12), userFeatures: [...USER_FEATURES], itemFeatures: [...OFFER_FEATURES],
    metrics: { logitError: await logitError(halves as [ResponseNetwork, ResponseNetwork], test), test: quality, validation: { logLoss: round(logLoss) }, epochs, examples: { train: train.size, validation: validation.size, test: test.size } },
  };
  await prepareFolder(out);
  await saveModel(out, { onnx, golden: goldenCases(test), manifest });
  await writeFile(join(out, 'README.md'), responseCard({ manifest, quality, command: options.command }));
  return { manifest, quality };
}

/** Without knowledge of the logit it is at most this; with endless examples at least that: a model of features is never exact. */
const ERROR_MAX = 1;
const ERROR_MIN = 0.05;

/**
 * Standard error of a logit: how far models of two halves of the examples lie apart (root mean square), halved, because a model of all
 * has half the variance of either. It knows nothing of what all three get wrong alike.
 */
export async function logitError([one, other]: readonly [ResponseNetwork, ResponseNetwork], examples: ResponseExamples): Promise<number> {
  const [a, b] = [await scoreExamples(one, examples), await scoreExamples(other, examples)];
  const squares = a.reduce((sum, logit, i) => sum + (logit - b[i]!) ** 2, 0);
  return round(Math.min(ERROR_MAX, Math.max(ERROR_MIN, Math.sqrt(squares / Math.max(1, a.length)) / 2)));
}

function priorLogits({ size, users, rows, userWidth, rowWidth }: ResponseExamples): Float32Array {
  const pair = new Float32Array(2 * rowWidth);
  return Float32Array.from({ length: size }, (_, i) => {
    const row = rows.subarray(i * rowWidth, (i + 1) * rowWidth);
    pair.set(row, rowWidth);
    const scores = priorScores(users.subarray(i * userWidth, (i + 1) * userWidth), pair, 2);
    return row[OFFER_FEATURES.indexOf('is_offer')] === 1 ? scores[1]! : scores[0]!;
  });
}

/** Inputs whose scores the model must reproduce: shoppers with rows as they came, and the edges. */
function goldenCases({ size, users, rows, userWidth, rowWidth }: ResponseExamples): GoldenInput[] {
  const rowAt = (i: number): number[] => Array.from(rows.subarray(i * rowWidth, (i + 1) * rowWidth), round);
  const cases = [0, 1, 2, 3].filter((i) => i < size).map((i): GoldenInput => ({
    name: `shopper ${i + 1}`, user: Array.from(users.subarray(i * userWidth, (i + 1) * userWidth), round), items: [...range(i, Math.min(size, i + 8))].map(rowAt),
  }));
  const filled = (length: number, value: number): number[] => Array.from({ length }, () => value);
  return [
    ...cases,
    { name: 'zeros', user: filled(userWidth, 0), items: [filled(rowWidth, 0)] },
    { name: 'far out', user: filled(userWidth, 1e6), items: [filled(rowWidth, 1e6), filled(rowWidth, -1e6)] },
  ];
}

const round = (value: number): number => Math.round(value * 1e4) / 1e4;
