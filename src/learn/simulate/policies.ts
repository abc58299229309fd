import { OFFER_COLUMN, OFFER_FEATURES, likelyOrder } from '../../offers/decide/offer-features.js';
import { plannedShare, spentShare } from '../../offers/decide/pacing.js';
import { expectedCost } from '../../offers/decide/prepared-offer.js';
import { PRIOR_ERROR, priorScores } from '../../offers/decide/prior.js';
import { weigh, type LiveCase } from '../../offers/decide/weigh.js';
import { chanceOf, type Encounter, type OfferPolicy } from './play.js';

const DAY_MS = 86_400_000;
/** Deviation of logits that are taken as they are. */
const CERTAIN = 1e-4;

/** Logits by row, as a response model gives them. */
export type Scorer = (user: Float32Array, rows: Float32Array, count: number) => Float32Array | Promise<Float32Array>;

export const nobody: OfferPolicy = { name: 'none', choose: () => -1 };

/** Everybody gets what is worth most to them, as long as there is budget. */
export const everybody: OfferPolicy = { name: 'all', choose: ({ eligible, situation }) => dearest(eligible, situation) };

/** What marketing rules do without a model. Each spends no faster than planned, and gives the offer that is worth most of those that fit the order. */
export const RULES: readonly OfferPolicy[] = [
  rule('rule: everybody, paced', () => true),
  rule('rule: open cart', ({ situation }) => situation.cart.valueMinor > 0),
  rule('rule: no order for 14 days', ({ situation: { profile, now } }) => profile.orders === 0 || now - profile.lastOrderAt > 14 * DAY_MS),
  rule('rule: took up promotions', ({ rows }) => rows[OFFER_COLUMN.promotions_selected_90d]! > 0),
];

function rule(name: string, fits: (encounter: Encounter) => boolean): OfferPolicy {
  return {
    name,
    choose: (encounter) => {
      const { eligible, situation } = encounter;
      if (!fits(encounter)) return -1;
      const order = likelyOrder(situation);
      const isFit = ({ prepared: { offer, spendMinor }, usage }: LiveCase): boolean =>
        (order === 0 || spendMinor <= order) && spentShare(offer, usage) <= plannedShare(offer, situation.now);
      const fit = eligible.filter(isFit);
      return fit.length === 0 ? -1 : eligible.indexOf(fit[dearest(fit, situation)]!);
    },
  };
}

function dearest(eligible: readonly LiveCase[], situation: Encounter['situation']): number {
  const order = likelyOrder(situation);
  const costs = eligible.map(({ prepared: { offer } }) => expectedCost(offer.terms, order));
  return costs.indexOf(Math.max(...costs));
}

/** The engine's decision: expected profit, price of the budget, draw. */
function byWeighing(name: string, score: (encounter: Encounter) => Float32Array | Promise<Float32Array>, error: () => number): OfferPolicy {
  return {
    name,
    choose: async (encounter) => {
      const { eligible, situation, seed } = encounter;
      const { choice, contenders } = weigh(eligible, { scores: await score(encounter), error: error(), situation, seed });
      return choice.chosen < 0 ? -1 : contenders[choice.chosen]!;
    },
  };
}

/** As an engine without a response model decides. */
export const prior: OfferPolicy = byWeighing('prior', ({ user, rows, eligible }) => priorScores(user, rows, eligible.length + 1), () => PRIOR_ERROR.prior);

/** Knows the hidden law, and decides by the same stages. */
export const oracle: OfferPolicy = byWeighing('oracle', ({ truth, eligible }) => Float32Array.from({ length: eligible.length + 1 }, (_, row) => truth(row)), () => CERTAIN);

/** Takes the model at its word. */
export const model = (score: Scorer): OfferPolicy =>
  byWeighing('model', ({ user, rows, eligible }) => score(user, rows, eligible.length + 1), () => CERTAIN);

/** Doubts the model as far as it states its error. */
export const thompson = (name: string, score: Scorer, error: () => number): OfferPolicy =>
  byWeighing(name, ({ user, rows, eligible }) => score(user, rows, eligible.length + 1), error);

/** At chance, none as often as two of the offers: a log that says most of everything. */
export function atRandom(learn: NonNullable<OfferPolicy['learn']>): OfferPolicy {
  return {
    name: 'random', learn,
    choose: (encounter) => Math.max(-1, Math.floor(chanceOf(encounter)() * (encounter.eligible.length + 2)) - 2),
  };
}

/** The row of an encounter's outcome. @param chosen −1: none */
export const rowOf = ({ rows }: Encounter, chosen: number): Float32Array => rows.subarray((chosen + 1) * OFFER_FEATURES.length, (chosen + 2) * OFFER_FEATURES.length);
