import { AppError } from '../../../errors.js';
import { hash32 } from '../../../util/hash.js';
import type { OnProgress } from '../../progress.js';
import { ResponseExamples } from '../../response/examples.js';
import { RESPONSE_SETTINGS, type ResponseSettings } from '../../response/fit-response.js';
import { calibration, measureResponse, prAuc, rocAuc } from '../../response/metrics.js';
import type { TableListener } from '../datasets/table.js';
import { bootstrap, groupsBy } from './bootstrap.js';
import { featuresOf, type ExposureFeatures } from './campaign-features.js';
import { ensembleLogits } from './ensemble.js';
import { dayOf, readHouseholds, type HouseholdTables, type Households } from './households.js';
import { fitLogistic } from './logistic.js';
import { OURS, type ResponseMethod, type ResponseReport } from './report.js';

/** Campaigns that start from this day on are the test. */
const TEST_FROM = dayOf('2017-09-01');
/** A small network, as the examples are few. Set beforehand, not tuned. */
export const CAMPAIGN_SETTINGS: ResponseSettings = { ...RESPONSE_SETTINGS, hidden: [16, 8], batch: 128, rate: 2e-3, weightDecay: 1, epochsMax: 30, patience: 3 };
const FOLDS = 10;

export interface ResponseOptions {
  readonly name: string;
  readonly seed: number;
  readonly onProgress: OnProgress;
}
export type Judged = Omit<ResponseReport, 'seconds' | 'peakRssBytes'>;

interface Exposure extends ExposureFeatures { readonly household: string; readonly label: number; readonly start: number }

/** Who will redeem in a campaign: complete-journey's protocol. */
export async function judgeCampaigns(paths: HouseholdTables, on: TableListener, { name, seed, onProgress }: ResponseOptions): Promise<Judged> {
  const startedAt = performance.now();
  const exposures = exposuresOf(await readHouseholds(paths, on));
  const train = exposures.filter(({ start }) => start < TEST_FROM);
  const test = exposures.filter(({ start }) => start >= TEST_FROM);
  for (const [part, list] of [['train', train], ['test', test]] as const) {
    if (new Set(list.map(({ label }) => label)).size < 2) throw new AppError('invalid_request', `${name}: the ${part} campaigns (before and from 2017-09-01) need exposures that were redeemed and some that were not.`);
  }
  const [logits] = await ensembleLogits({
    train: examplesOf(train), folds: FOLDS, foldOf: (i) => hash32(`fold:${seed}:${train[i]!.household}`) % FOLDS, settings: CAMPAIGN_SETTINGS, seed,
    onFold: (done) => { onProgress({ stage: 'response', done, total: FOLDS, note: '' }); },
  }, [examplesOf(test)]);
  const trainSeconds = (performance.now() - startedAt) / 1000;
  const labels = test.map(({ label }) => label);
  const counted = fitLogistic(train.map(({ counts }) => counts), train.map(({ label }) => label));
  const scores: Record<string, ArrayLike<number>> = {
    [OURS]: logits!, 'logistic regression on counts': test.map(({ counts }) => counted.logit(counts)), 'history alone': test.map(({ history }) => Math.log(history / (1 - history))),
  };
  const groups = groupsBy(test.map(({ household }) => household));
  const methods = Object.fromEntries(Object.entries(scores).map(([method, of]) => [method, methodOf(of, labels, groups, seed)]));
  const { [OURS]: ours, ...others } = methods;
  return {
    dataset: name, protocol: 'response', seed, model: 'wide and deep, ten folds', metrics: ours!.metrics,
    data: { exposures: exposures.length, train: train.length, test: test.length, redeemedInTrain: share(train), redeemedInTest: share(test) },
    baselines: Object.fromEntries(Object.entries(others).map(([method, { metrics }]) => [method, metrics])), methods,
    differences: Object.fromEntries(Object.keys(others).flatMap((other) => ([['ROC AUC', rocAuc], ['PR AUC', prAuc]] as const).map(([metric, of]) =>
      [`${metric} above ${other}`, differenceOf(of, scores[OURS]!, scores[other]!, labels, groups, seed)]))),
    calibration: calibration(logits!, labels), trainSeconds,
  };
}

function exposuresOf(households: Households): Exposure[] {
  const { campaigns, exposures, histories } = households;
  return exposures.map(({ household, campaign: id }) => {
    const campaign = campaigns.get(id)!;
    const label = histories.get(household)!.redemptions.some((redemption) => redemption.campaign === id) ? 1 : 0;
    return { ...featuresOf(households, household, campaign), household, label, start: campaign.start };
  });
}

function examplesOf(list: readonly Exposure[]): ResponseExamples {
  const examples = new ResponseExamples(list[0]!.user.length, list[0]!.row.length);
  for (const { user, row, label } of list) examples.add(user, row, label);
  return examples;
}

function methodOf(scores: ArrayLike<number>, labels: readonly number[], groups: readonly number[][], seed: number): ResponseMethod {
  const { rocAuc: roc, prAuc: pr, logLoss, calibrationError } = measureResponse(scores, labels);
  const over = (of: typeof rocAuc): readonly [number, number] => bootstrap(groups, (rows) => of(rows.map((i) => scores[i]!), rows.map((i) => labels[i]!)), seed);
  return { metrics: { 'ROC AUC': roc, 'PR AUC': pr, 'log loss': logLoss, 'calibration error': calibrationError }, intervals: { 'ROC AUC': over(rocAuc), 'PR AUC': over(prAuc) } };
}

function differenceOf(of: typeof rocAuc, ours: ArrayLike<number>, theirs: ArrayLike<number>, labels: readonly number[], groups: readonly number[][], seed: number): { value: number; low: number; high: number } {
  const difference = (rows: readonly number[]): number => {
    const came = rows.map((i) => labels[i]!);
    return of(rows.map((i) => ours[i]!), came) - of(rows.map((i) => theirs[i]!), came);
  };
  const [low, high] = bootstrap(groups, difference, seed);
  return { value: difference(labels.map((_, i) => i)), low, high };
}

const share = (list: readonly Exposure[]): number => list.reduce((sum, { label }) => sum + label, 0) / list.length;
