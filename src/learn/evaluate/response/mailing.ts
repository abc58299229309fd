import { AppError } from '../../../errors.js';
import { hash32 } from '../../../util/hash.js';
import { ResponseExamples } from '../../response/examples.js';
import { RESPONSE_SETTINGS, type ResponseSettings } from '../../response/fit-response.js';
import { HILLSTROM } from '../datasets/response-sets.js';
import { readTable, type TableListener } from '../datasets/table.js';
import type { Judged, ResponseOptions } from './campaigns.js';
import { ensembleLogits } from './ensemble.js';
import { OURS, type Interval, type ResponseMethod } from './report.js';
import { qini, type QiniCurve } from './qini.js';

/** The arms of the test; the first is to be left alone. */
export const ARMS = ['none', 'mens', 'womens'] as const;
const SEGMENTS: Readonly<Record<string, number>> = { 'No E-Mail': 0, 'Mens E-Mail': 1, 'Womens E-Mail': 2 };
const OUTCOMES = ['visit', 'spend'] as const;
type Outcome = (typeof OUTCOMES)[number];

/** Set beforehand: a little more than a logistic regression with the arm among its inputs. */
const MAILING_SETTINGS: ResponseSettings = { ...RESPONSE_SETTINGS, hidden: [16, 8], batch: 256, rate: 2e-3, weightDecay: 1, epochsMax: 20, patience: 3 };
const FOLDS = 5;
/** Arms were drawn with equal chances. */
const PROPENSITY = 1 / ARMS.length;
const Z95 = 1.96;

interface Customer { readonly features: Float32Array; readonly arm: number; readonly visit: number; readonly spend: number; readonly isTest: boolean }

/** Whom to send which e-mail: hillstrom's protocol. */
export async function judgeMailing(path: string, on: TableListener, { name, seed, onProgress }: ResponseOptions): Promise<Judged> {
  const startedAt = performance.now();
  const customers = await readCustomers(path, on);
  const train = customers.filter(({ isTest }) => !isTest);
  const test = customers.filter(({ isTest }) => isTest);
  for (const arm of ARMS.keys()) for (const part of [train, test]) {
    if (!part.some((one) => one.arm === arm && one.visit === 1)) throw new AppError('invalid_request', `${name}: each half needs customers of every arm who visited; of ${ARMS[arm]} it has none.`);
  }
  const visits = await visitChances(train, test, seed, (done) => { onProgress({ stage: 'uplift', done, total: FOLDS, note: '' }); });
  const trainSeconds = (performance.now() - startedAt) / 1000;
  // Few customers buy: what a visit that an arm brings is worth is taken to be the same for all of the arm.
  const worth = ARMS.map((_, arm) => mean(train.filter((one) => one.arm === arm), 'spend') / mean(train.filter((one) => one.arm === arm), 'visit'));
  const expected: Readonly<Record<Outcome, Float32Array[]>> = { visit: visits, spend: visits.map((chances, arm) => chances.map((chance) => chance * worth[arm]!)) };
  const methods: Record<string, ResponseMethod> = {};
  const differences: Record<string, { value: number; low: number; high: number }> = {};
  const curves: Record<string, QiniCurve> = {};
  for (const outcome of OUTCOMES) {
    const better = argmax(ARMS.map((_, arm) => (arm === 0 ? -Infinity : mean(train.filter((one) => one.arm === arm), outcome))));
    const learned = test.map((_, i) => argmax(expected[outcome].map((of) => of[i]!)));
    const rewards = (policy: (i: number) => number): number[] => test.map((one, i) => policy(i) * one[outcome] / PROPENSITY);
    const follows = (of: readonly number[] | number) => (i: number): number => (test[i]!.arm === (typeof of === 'number' ? of : of[i]!) ? 1 : 0);
    const policies: Record<string, number[]> = {
      [OURS]: rewards(follows(learned)), 'everyone the better arm': rewards(follows(better)), 'arm by lot, or none': rewards(() => PROPENSITY), 'nobody': rewards(follows(0)),
    };
    for (const [method, list] of Object.entries(policies)) put(methods, method, outcome, intervalOf(list));
    differences[`${outcome} above everyone the better arm (${ARMS[better]})`] = intervalOf(policies[OURS]!.map((reward, i) => reward - policies['everyone the better arm']![i]!));
    differences[`${outcome} above by lot`] = intervalOf(policies[OURS]!.map((reward, i) => reward - policies['arm by lot, or none']![i]!));
    for (const arm of [1, 2]) {
      const people = test.flatMap((one, i) => (one.arm === 0 || one.arm === arm ? [{ effect: expected[outcome][arm]![i]! - expected[outcome][0]![i]!, isTreated: one.arm === arm, outcome: one[outcome] }] : []));
      curves[`${outcome}, ${ARMS[arm]}`] = qini(people, seed);
    }
  }
  const { [OURS]: ours, ...others } = methods;
  return {
    dataset: name, protocol: 'uplift', seed, model: 'wide and deep with the arm as input, five folds', metrics: ours!.metrics,
    data: { customers: customers.length, train: train.length, test: test.length, arms: ARMS.join(' ') },
    baselines: Object.fromEntries(Object.entries(others).map(([method, { metrics }]) => [method, metrics])), methods, differences, qini: curves, trainSeconds,
  };
}

/** Line breaks aside, a row's number among the customers, from 0, says which half it is in. */
const isInTest = (row: number): boolean => hash32(String(row)) % 2 === 1;

async function readCustomers(path: string, on: TableListener): Promise<Customer[]> {
  const customers: Customer[] = [];
  let row = 0;
  await readTable(path, HILLSTROM.tables.customers, ([recency, history, mens, womens, zip, newbie, channel, segment = '', visit, , spend]) => {
    const number = row++;
    const [months, spent, boughtMens, boughtWomens, isNew, visited, amount] = [recency, history, mens, womens, newbie, visit, spend].map((text) => (text === '' ? NaN : Number(text)));
    const arm = SEGMENTS[segment];
    if (arm === undefined) return 'segment is none of the three arms';
    const features = Float32Array.from([
      months!, Math.log1p(months!), Math.log1p(spent!), boughtMens!, boughtWomens!, boughtMens! * boughtWomens!, isNew!,
      ...['Rural', 'Surburban', 'Urban'].map((one) => (zip === one ? 1 : 0)), ...['Phone', 'Web', 'Multichannel'].map((one) => (channel === one ? 1 : 0)),
    ]);
    if (!features.every(Number.isFinite) || !Number.isFinite(visited) || !Number.isFinite(amount)) return 'a column is no number';
    customers.push({ features, arm, visit: visited!, spend: amount!, isTest: isInTest(number) });
    return undefined;
  }, on);
  return customers;
}

/** Probability of a visit of each test customer under each arm, by a network that was told the arm. */
async function visitChances(train: readonly Customer[], test: readonly Customer[], seed: number, onFold: (done: number) => void): Promise<Float32Array[]> {
  const rows = ARMS.map((_, arm) => Float32Array.from([arm === 0 ? 0 : 1, arm === 1 ? 1 : 0, arm === 2 ? 1 : 0]));
  const width = train[0]!.features.length;
  const examples = new ResponseExamples(width, ARMS.length);
  for (const { features, arm, visit } of train) examples.add(features, rows[arm]!, visit);
  const asked = rows.map((row) => {
    const set = new ResponseExamples(width, ARMS.length);
    for (const { features } of test) set.add(features, row, 0);
    return set;
  });
  const logits = await ensembleLogits({ train: examples, folds: FOLDS, foldOf: (i) => hash32(`fold:${seed}:${i}`) % FOLDS, settings: MAILING_SETTINGS, seed, onFold }, asked);
  return logits.map((of) => of.map((logit) => 1 / (1 + Math.exp(-logit))));
}

function put(methods: Record<string, ResponseMethod>, name: string, metric: string, { value, low, high }: { value: number; low: number; high: number }): void {
  const { metrics = {}, intervals = {} } = methods[name] ?? {};
  methods[name] = { metrics: { ...metrics, [metric]: value }, intervals: { ...intervals, [metric]: [low, high] as Interval } };
}

function intervalOf(values: readonly number[]): { value: number; low: number; high: number } {
  const value = values.reduce((sum, one) => sum + one, 0) / values.length;
  const error = Math.sqrt(values.reduce((sum, one) => sum + (one - value) ** 2, 0) / (values.length - 1) / values.length);
  return { value, low: value - Z95 * error, high: value + Z95 * error };
}

const mean = (list: readonly Customer[], of: Outcome): number => list.reduce((sum, one) => sum + one[of], 0) / Math.max(1, list.length);
const argmax = (values: readonly number[]): number => values.indexOf(Math.max(...values));
