import { readArchive, readDecisions } from '../../archive/reader.js';
import { AppError } from '../../errors.js';
import { decisionVectors } from '../../offers/decide/decision-record.js';
import { OFFER_FEATURES } from '../../offers/decide/offer-features.js';
import { USER_FEATURES } from '../../profile/vector.js';
import { seededRandom } from '../../util/random.js';
import { ResponseExamples, range } from './examples.js';

const HOUR_MS = 3_600_000;

export const DECISION_EXAMPLES = {
  /** A purchase within this time of a decision counts as its conversion, ms. */
  windowMs: 24 * HOUR_MS,
  /** Decisions kept, 0.25 GB of them; of more a uniform sample. */
  max: 400_000,
  /** Fewer tell less than the model that there is. */
  min: 1000,
} as const;

/** Shares of the decisions, by time. */
const PARTS = { train: 0.7, validation: 0.85 } as const;

export interface DecisionExamples {
  readonly train: ResponseExamples;
  readonly validation: ResponseExamples;
  readonly test: ResponseExamples;
  readonly from: number;
  readonly until: number;
}

/**
 * Reads a store's archive: each decision, with the features it was made by, is an example of what was chosen (row 0 when nothing was, or
 * the shopper was held out), and converted if the shopper bought within a day. The choice hangs on the logged features alone, so given
 * them who got what is as good as drawn by lot, and needs no weight.
 * @throws AppError `invalid_request` when there are too few
 */
export async function readDecisionExamples(dir: string, seed: number): Promise<DecisionExamples> {
  const examples = new ResponseExamples(USER_FEATURES.length, OFFER_FEATURES.length);
  const made: { shopper: string; at: number }[] = [];
  const random = seededRandom(seed);
  let seen = 0;
  for await (const { record, vectors } of readDecisions(dir)) {
    const { user, noneRow, rows } = decisionVectors(vectors);
    const row = record.chosen < 0 ? noneRow : rows[record.chosen];
    // Of an engine with other features.
    if (user.length !== USER_FEATURES.length || row?.length !== OFFER_FEATURES.length) continue;
    seen += 1;
    // Algorithm R (Vitter, 1985): every decision is kept with the same chance.
    const place = examples.size < DECISION_EXAMPLES.max ? examples.size : Math.floor(random() * seen);
    if (place >= DECISION_EXAMPLES.max) continue;
    if (place === examples.size) examples.add(user, row, 0);
    else examples.set(place, user, row, 0);
    made[place] = { shopper: record.shopper, at: record.at };
  }
  const until = await labelConversions(dir, examples, made);
  const order = [...made.keys()].filter((i) => made[i]!.at <= until - DECISION_EXAMPLES.windowMs).sort((a, b) => made[a]!.at - made[b]!.at || a - b);
  if (order.length < DECISION_EXAMPLES.min) {
    throw new AppError('invalid_request', `${dir} has ${order.length} decisions that are a day old; a response model needs ${DECISION_EXAMPLES.min}. Let offers run longer.`);
  }
  const [first, second] = [PARTS.train, PARTS.validation].map((part) => Math.floor(part * order.length)) as [number, number];
  const part = (from: number, to: number): ResponseExamples => examples.pick([...range(from, to)].map((i) => order[i]!));
  return { train: part(0, first), validation: part(first, second), test: part(second, order.length), from: made[order[0]!]!.at, until };
}

/** @returns time of the latest event, ms */
async function labelConversions(dir: string, examples: ResponseExamples, made: readonly { shopper: string; at: number }[]): Promise<number> {
  const byShopper = new Map<string, number[]>();
  made.forEach(({ shopper }, i) => {
    const list = byShopper.get(shopper);
    if (list === undefined) byShopper.set(shopper, [i]);
    else list.push(i);
  });
  let latest = 0;
  for await (const { type, shopper, at } of readArchive(dir)) {
    latest = Math.max(latest, at);
    if (type !== 'purchase') continue;
    for (const i of byShopper.get(shopper) ?? []) {
      const after = at - made[i]!.at;
      if (after >= 0 && after <= DECISION_EXAMPLES.windowMs) examples.label(i, 1);
    }
  }
  return latest;
}
