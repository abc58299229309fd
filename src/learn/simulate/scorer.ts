import { Tensor } from 'onnxruntime-node';
import { OFFER_FEATURES } from '../../offers/decide/offer-features.js';
import { USER_FEATURES } from '../../profile/vector.js';
import { loadModel } from '../../ranking/model.js';
import { Session } from '../../ranking/session.js';
import type { Scorer } from './policies.js';

/** A response model that is open. */
export interface OpenScorer {
  readonly score: Scorer;
  release(): Promise<void>;
}

/** A model as it is trained, all of the engine's features in their order. */
export async function openScorer(onnx: Uint8Array): Promise<OpenScorer> {
  const session = await Session.open('a response model', onnx);
  return {
    score: (user, rows, count) => session.run({
      user: new Tensor('float32', user, [1, USER_FEATURES.length]),
      items: new Tensor('float32', rows.subarray(0, count * OFFER_FEATURES.length), [count, OFFER_FEATURES.length]),
    }, 'score'),
    release: () => session.retire(),
  };
}

/** A model folder, loaded and checked as the engine does it. @throws AppError `model_refused` */
export async function openModel(folder: string): Promise<OpenScorer & { readonly label: string; readonly error: number | undefined }> {
  const model = await loadModel(folder, { userFeatures: USER_FEATURES, itemFeatures: OFFER_FEATURES });
  const { logitError } = model.manifest.metrics;
  return {
    label: model.label, error: typeof logitError === 'number' ? logitError : undefined,
    score: (user, rows, count) => model.score(user, rows, count),
    release: () => model.retire(),
  };
}
