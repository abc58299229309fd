import type { OnProgress } from '../progress.js';
import { readResponseFolder } from '../response/train-response.js';
import { PRIOR_ERROR } from '../../offers/decide/prior.js';
import { estimate, type Estimate } from './intervals.js';
import { Learner } from './learner.js';
import { playHistory, playWindow, type OfferPolicy, type Outcome } from './play.js';
import { everybody, model, nobody, oracle, prior, RULES } from './policies.js';
import { openModel } from './scorer.js';
import { makeSimulatedStore, STORE_DEFAULTS, type SimulatedStore } from './store.js';

export interface CompareOptions {
  /** Of the first store; the others count on. */
  readonly seed: number;
  readonly stores: number;
  readonly shoppers: number;
  readonly days: number;
  /** Folder of the response model. */
  readonly modelFolder: string;
  readonly onProgress: OnProgress;
}

/** How a policy did: means over the stores. Amounts are minor units per store. */
export interface PolicyReport {
  readonly profitMinor: Estimate;
  /** More than without any offer in the same store. */
  readonly gainMinor: Estimate;
  /** What the oracle made in the same store and this policy did not. */
  readonly regretMinor: Estimate;
  /** Profit as a share of the oracle's. */
  readonly profitShare: Estimate;
  /** The same of the gain, over all stores together; 0 where even the oracle gains nothing. */
  readonly gainShare: number;
  /** Share of all budgets that was spent by the end; the least and most of any store. */
  readonly spent: Estimate & { readonly least: number; readonly most: number };
  /** Farthest that the spending of all offers together was from its plan at the end of a day, in any store, as a share of the budget. */
  readonly planMissed: { readonly ahead: number; readonly behind: number };
  /** The same of a single offer. */
  readonly offerMissed: { readonly ahead: number; readonly behind: number };
  readonly shownShare: number;
  readonly conversions: number;
  readonly claims: number;
  /** Of the first store: share of the budgets spent by the end of each day. */
  readonly spentByDay: readonly number[];
}

export interface SimulationReport {
  readonly seed: number;
  readonly stores: number;
  readonly shoppers: number;
  readonly days: number;
  readonly historyDays: number;
  readonly model: string;
  readonly visits: number;
  readonly budgetMinor: number;
  readonly policies: Readonly<Record<string, PolicyReport>>;
  readonly bars: {
    /** Profit of the model's policy is at least .9 of the oracle's. */
    readonly profitShare: { readonly value: number; readonly holds: boolean };
    /** By rule: how much more the model's policy makes, in the same store; holds when the interval is above 0. */
    readonly aboveRules: Readonly<Record<string, Estimate & { readonly holds: boolean }>>;
    /** Spending of all offers together: ends within 2 % of the plan, never above the budget; and how far it was from the plan at the end of any day. */
    readonly budget: { readonly endsWithin: boolean; readonly neverAbove: boolean; readonly everyDayWithin: boolean };
  };
  readonly seconds: number;
}

export const BARS = { profitShare: 0.9, planMissed: 0.02 } as const;
export const MODEL = 'model';

/** Plays every policy in every store, by the same visits and the same chance draws. */
export async function compare({ seed, stores, shoppers, days, modelFolder, onProgress }: CompareOptions): Promise<SimulationReport> {
  const startedAt = performance.now();
  const served = await openModel(modelFolder);
  const network = await readResponseFolder(modelFolder);
  const outcomes = new Map<string, Outcome[]>();
  const steps = stores * POLICIES;
  let done = 0;
  for (let number = 0; number < stores; number++) {
    const store = makeSimulatedStore({ seed: seed + number, shoppers, days });
    const history = playHistory(store);
    const play = async (policy: OfferPolicy): Promise<void> => {
      onProgress({ stage: 'simulate', done, total: steps, note: `store ${number + 1}, ${policy.name}` });
      outcomes.set(policy.name, [...(outcomes.get(policy.name) ?? []), await playWindow(store, history, policy)]);
      done += 1;
    };
    for (const policy of [nobody, everybody, ...RULES, prior, model(served.score), oracle]) await play(policy);
    for (const learner of await learners(store, network === undefined ? undefined : { network, error: served.error ?? PRIOR_ERROR.model })) {
      await play(learner.policy);
      await learner.release();
    }
  }
  await served.release();
  const policies = Object.fromEntries([...outcomes].map(([name, list]) => [name, reportOf(list, outcomes.get(nobody.name)!, outcomes.get(oracle.name)!)]));
  const first = outcomes.get(nobody.name)!;
  return {
    seed, stores, shoppers, days, historyDays: STORE_DEFAULTS.historyDays, model: served.label,
    visits: mean(first.map(({ visits }) => visits)), budgetMinor: mean(first.map(({ budgetMinor }) => budgetMinor)),
    policies, bars: judge(policies, outcomes), seconds: (performance.now() - startedAt) / 1000,
  };
}

/** The others, and two that learn. */
const POLICIES = RULES.length + 7;

function learners({ seed }: SimulatedStore, start: { network: NonNullable<Awaited<ReturnType<typeof readResponseFolder>>>; error: number } | undefined): Promise<Learner[]> {
  return Promise.all([Learner.open('model, learning on', seed, start), Learner.open('learning from nothing', seed)]);
}

function reportOf(list: readonly Outcome[], without: readonly Outcome[], best: readonly Outcome[]): PolicyReport {
  const over = (of: (outcome: Outcome, i: number) => number): Estimate => estimate(list.map(of));
  const profit = (outcomes: readonly Outcome[], i: number): number => outcomes[i]!.profitMinor;
  const gainOf = (outcomes: readonly Outcome[]): number => mean(outcomes.map(({ profitMinor }, i) => profitMinor - profit(without, i)));
  const spent = list.map(({ spentMinor, budgetMinor }) => spentMinor / budgetMinor);
  const most = (of: (day: Outcome['days'][number], plan: number) => number): number =>
    Math.max(0, ...list.flatMap(({ days }) => days.map((day, i) => of(day, (i + 1) / days.length))));
  return {
    profitMinor: over(({ profitMinor }) => profitMinor),
    gainMinor: over(({ profitMinor }, i) => profitMinor - profit(without, i)),
    regretMinor: over(({ profitMinor }, i) => profit(best, i) - profitMinor),
    profitShare: over(({ profitMinor }, i) => profitMinor / profit(best, i)),
    gainShare: gainOf(best) > 0 ? gainOf(list) / gainOf(best) : 0,
    spent: { ...estimate(spent), least: Math.min(...spent), most: Math.max(...spent) },
    planMissed: { ahead: most((day, plan) => day.spent - plan), behind: most((day, plan) => plan - day.spent) },
    offerMissed: { ahead: most(({ ahead }) => ahead), behind: most(({ behind }) => behind) },
    shownShare: mean(list.map(({ shown, visits }) => shown / visits)), conversions: mean(list.map(({ conversions }) => conversions)), claims: mean(list.map(({ claims }) => claims)),
    spentByDay: list[0]!.days.map(({ spent: share }) => share),
  };
}

function judge(policies: Readonly<Record<string, PolicyReport>>, outcomes: ReadonlyMap<string, readonly Outcome[]>): SimulationReport['bars'] {
  const { profitShare, spent, planMissed } = policies[MODEL]!;
  const aboveRules = Object.fromEntries([everybody, ...RULES].map(({ name }) => {
    const more = estimate(outcomes.get(MODEL)!.map(({ profitMinor }, i) => profitMinor - outcomes.get(name)![i]!.profitMinor));
    return [name, { ...more, holds: more.low > 0 }];
  }));
  return {
    profitShare: { value: profitShare.mean, holds: profitShare.mean >= BARS.profitShare },
    aboveRules,
    budget: {
      endsWithin: spent.least >= 1 - BARS.planMissed, neverAbove: spent.most <= 1,
      everyDayWithin: planMissed.ahead <= BARS.planMissed && planMissed.behind <= BARS.planMissed,
    },
  };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
