import { OFFER_FEATURES } from '../../offers/decide/offer-features.js';
import { USER_FEATURES } from '../../profile/vector.js';
import { readModelFiles } from '../../ranking/manifest.js';
import type { Clock } from '../../util/clock.js';
import type { OnProgress } from '../progress.js';
import { playHistory, playWindow } from '../simulate/play.js';
import { atRandom, rowOf } from '../simulate/policies.js';
import { makeSimulatedStore } from '../simulate/store.js';
import { ResponseExamples } from './examples.js';
import { RESPONSE_SETTINGS } from './fit-response.js';
import { makeResponse } from './make-response.js';
import { readResponse, type ResponseNetwork } from './network.js';
import type { MadeResponse } from './response-card.js';
import { readDecisionExamples } from './train-on-decisions.js';

export interface TrainResponseOptions {
  readonly out: string;
  readonly seed: number;
  /** A response model to go on from. */
  readonly from?: string | undefined;
  readonly clock: Clock;
  readonly onProgress: OnProgress;
}

/** Simulated stores by what they are for. */
const STORES = { train: 10, validation: 2, test: 2 } as const;
/** `npm run simulate` counts its stores from 1; these are others, so that what the model is judged on it has never seen. */
const FIRST_STORE = 100_000;

/** Shoppers of simulated stores who were given offers by lot → a model folder. The same options give the same model. */
export async function trainResponseOnSimulation({ shoppers, days, ...options }: TrainResponseOptions & { shoppers: number; days: number }): Promise<MadeResponse> {
  const { seed, onProgress } = options;
  const parts = Object.entries(STORES).flatMap(([part, stores]) => Array.from({ length: stores }, () => part as keyof typeof STORES));
  const examples = { train: newExamples(), validation: newExamples(), test: newExamples() };
  for (const [number, part] of parts.entries()) {
    const store = makeSimulatedStore({ seed: FIRST_STORE + 100 * seed + number, shoppers, days, claimsPerVisit: Infinity });
    await playWindow(store, playHistory(store), atRandom((encounter, chosen, converted) => {
      examples[part].add(encounter.user, rowOf(encounter, chosen), converted ? 1 : 0);
    }));
    onProgress({ stage: 'simulate', done: number + 1, total: parts.length, note: `${part}: ${examples[part].size} visits` });
  }
  return makeResponse({
    ...options, ...examples, start: await startOf(options.from),
    about: {
      name: 'simulated-response', licence: 'Apache-2.0', trainedAt: new Date(options.clock()).toISOString(),
      data: {
        source: 'simulated, not real: shoppers of src/demo under the hidden law of src/learn/simulate, given offers by lot. It says that the training finds what the simulation hides, not how shoppers of a shop respond: train on the decisions of your own',
        seed, stores: STORES, shoppers, days,
      },
    },
    command: `npm run train -- --response --seed ${seed} --shoppers ${shoppers} --days ${days}`,
  });
}

/** A store's own decisions and purchases → a model folder. @throws AppError `invalid_request` when there are too few */
export async function trainResponseOnArchive({ data, ...options }: TrainResponseOptions & { data: string }): Promise<MadeResponse> {
  const { from, until, ...examples } = await readDecisionExamples(data, options.seed);
  return makeResponse({
    ...options, ...examples, start: await startOf(options.from),
    about: {
      name: 'store-response', licence: 'the store\'s own', trainedAt: new Date(options.clock()).toISOString(),
      data: { source: 'decisions and purchases of the store', from: new Date(from).toISOString(), until: new Date(until).toISOString() },
    },
    command: `npm run train -- --response --data ${data} --seed ${options.seed}`,
  });
}

/** The network of a response model that this trainer wrote. @throws AppError `model_refused` @returns undefined for another's */
export async function readResponseFolder(folder: string): Promise<ResponseNetwork | undefined> {
  const { onnx } = await readModelFiles(folder);
  return readResponse(onnx, { userWidth: USER_FEATURES.length, rowWidth: OFFER_FEATURES.length, hidden: RESPONSE_SETTINGS.hidden });
}

const startOf = (folder: string | undefined): Promise<ResponseNetwork | undefined> => (folder === undefined ? Promise.resolve(undefined) : readResponseFolder(folder));
const newExamples = (): ResponseExamples => new ResponseExamples(USER_FEATURES.length, OFFER_FEATURES.length);
