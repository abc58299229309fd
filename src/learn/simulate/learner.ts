import { OFFER_FEATURES } from '../../offers/decide/offer-features.js';
import { PRIOR_ERROR, priorScores } from '../../offers/decide/prior.js';
import { USER_FEATURES } from '../../profile/vector.js';
import { range, ResponseExamples } from '../response/examples.js';
import { fitResponse, RESPONSE_SETTINGS, type ResponseSettings } from '../response/fit-response.js';
import { exportResponse, type ResponseNetwork } from '../response/network.js';
import { openScorer, type OpenScorer } from './scorer.js';
import { rowOf, thompson } from './policies.js';
import type { Encounter, OfferPolicy } from './play.js';

/** Parts of the window after which the model is fitted again. */
const FITS_AT = [0.1, 0.2, 0.35, 0.5, 0.65, 0.8] as const;
/** Every fifth decision validates. */
const VALIDATION_EVERY = 5;
/** Going on from a model: in small steps, so that a little of one's own does not wipe out what it knew. */
const GO_ON: ResponseSettings = { ...RESPONSE_SETTINGS, rate: 3e-4, epochsMax: 8, patience: 1 };
/** Standard error that a model is credited with which was fitted to so few decisions of its own. */
const OWN_ERROR = 0.5;

/** A policy that explores by Thompson sampling and learns from its own log. To be released after use. */
export class Learner {
  readonly policy: OfferPolicy;
  readonly #log = new ResponseExamples(USER_FEATURES.length, OFFER_FEATURES.length);
  #model: { scorer: OpenScorer; error: number } | undefined;
  #fits = 0;

  private constructor(name: string, private readonly seed: number, private readonly start: ResponseNetwork | undefined, model: { scorer: OpenScorer; error: number } | undefined) {
    this.#model = model;
    this.policy = {
      ...thompson(name, (user, rows, count) => (this.#model === undefined ? priorScores(user, rows, count) : this.#model.scorer.score(user, rows, count)), () => this.#model?.error ?? PRIOR_ERROR.prior),
      learn: (encounter, chosen, converted, part) => this.#learn(encounter, chosen, converted, part),
    };
  }

  /** @param start the model to begin with, and the error that it states; undefined: from nothing but the prior */
  static async open(name: string, seed: number, start?: { network: ResponseNetwork; error: number }): Promise<Learner> {
    return new Learner(name, seed, start?.network, start === undefined ? undefined : { scorer: await openScorer(exportResponse(start.network)), error: start.error });
  }

  async release(): Promise<void> {
    await this.#model?.scorer.release();
  }

  async #learn(encounter: Encounter, chosen: number, converted: boolean, part: number): Promise<void> {
    this.#log.add(encounter.user, rowOf(encounter, chosen), converted ? 1 : 0);
    if (part < (FITS_AT[this.#fits] ?? Infinity)) return;
    this.#fits += 1;
    const isValidation = (i: number): boolean => i % VALIDATION_EVERY === VALIDATION_EVERY - 1;
    const { network } = await fitResponse({
      train: this.#log.pick(range(0, this.#log.size, (i) => !isValidation(i))), validation: this.#log.pick(range(0, this.#log.size, isValidation)),
      seed: this.seed + this.#fits, start: this.start, settings: this.start === undefined ? RESPONSE_SETTINGS : GO_ON,
    });
    const error = this.start === undefined ? OWN_ERROR : this.#model!.error;
    await this.release();
    this.#model = { scorer: await openScorer(exportResponse(network)), error };
  }
}
