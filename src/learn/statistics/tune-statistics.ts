import { INTEREST, StatisticsBuilder } from '../../candidates/build-statistics.js';
import { DEFAULT_STATISTICS, type StatisticsSettings } from '../../candidates/statistics-settings.js';
import { EVENT_TYPES } from '../../domain/event.js';
import { seededRandom, shuffle } from '../../util/random.js';
import { stepsOf } from '../split-steps.js';
import { forKnown, type Interactions, type Question, type Split, type Task } from '../task.js';
import { NeighborAnswers } from './neighbor-answers.js';

const DAY_MS = 86_400_000;

/** Bounds of one tuning: what it may look at, so that it takes a minute at most on two cores. */
export const TUNING_LIMITS = {
  events: 400_000,
  questions: 6000,
  /** A change of a setting must raise the quality by this share of it, or the simpler known one stays. */
  gainMin: 0.004,
} as const;

/**
 * What is tried, one setting after another, the others held (coordinate search). Those of scoring first, which need no
 * new count, then those of counting, then scoring again because it answers to them.
 */
const SCORING: readonly Candidates[] = [
  { again: [0, 1, 2, 4] }, { recencyExponent: [0.3, 0.6, 0.9, 1.2] }, { recentItems: [3, 5, 10, 20, 40] },
  { sourceExponent: [0.3, 0.5, 0.7] }, { targetExponent: [0, 0.05, 0.1, 0.2] },
];
const COUNTING: readonly Candidates[] = [
  { backward: [0.1, 0.25, 0.5, 1] }, { distanceExponent: [0, 0.25, 0.5, 1] }, { lengthExponent: [0, 0.25, 0.5] },
  { gapDays: [10, 30, 90, 365] }, { window: [10, 20, 40] }, { stepMs: [0, 1000] },
];
/** Half-lives of popularity, which is judged by itself: how well the most popular items answer. */
const POPULARITY_DAYS: readonly number[] = [1, 3, 7, 14, 30, 90, 365];
type Candidates = { readonly [name in keyof StatisticsSettings]?: readonly number[] };

export interface TuneOptions {
  readonly seed?: number;
  /** After each setting: the best so far and its quality. */
  readonly onProgress?: (done: number, total: number, quality: number) => void;
}

/**
 * Chooses how co-occurrence is counted by how well neighbours alone, counted over the split's known events, answer its
 * questions. The same task, split and seed give the same settings.
 */
export function tuneStatistics(task: Task, split: Split, { seed = 1, onProgress }: TuneOptions = {}): StatisticsSettings {
  const sample = sampleSplit(task.interactions, split, seed);
  if (sample.questions.length === 0) return DEFAULT_STATISTICS;
  const answers = new NeighborAnswers(task, sample.questions);
  const steps = [...SCORING, ...COUNTING, ...SCORING];
  let settings: StatisticsSettings = { ...DEFAULT_STATISTICS, popularityDays: tunePopularity(task, { ...split, questions: sample.questions }) };
  let counts = countInteractions(task.interactions, sample.known, settings);
  let quality = answers.quality(counts, settings);
  steps.forEach((step, done) => {
    const counted = COUNTING.includes(step);
    for (const candidate of alternatives(step, settings)) {
      const tried = counted ? countInteractions(task.interactions, sample.known, candidate) : counts;
      const found = answers.quality(tried, candidate);
      if (found <= quality * (1 + TUNING_LIMITS.gainMin)) continue;
      [settings, counts, quality] = [candidate, tried, found];
    }
    onProgress?.(done + 1, steps.length, quality);
  });
  return settings;
}

/** The half-life by which the items wanted (the never-bought ones, where these are asked for) stand highest. */
function tunePopularity(task: Task, split: Split): number {
  const steps = stepsOf(task, split);
  const quality = (days: number): number => steps.reduce((sum, { known, questions }) => {
    const ranks = ranksOf(popularityOf(task.interactions, known, days));
    const gains = questions.flatMap(({ wanted, fresh = wanted }) => fresh.map((item) => 1 / Math.log2(1 + ranks[item]!)));
    return gains.reduce((all, gain) => all + gain, sum);
  }, 0);
  const found = POPULARITY_DAYS.map((days) => ({ days, quality: quality(days) }));
  const usual = found.find(({ days }) => days === DEFAULT_STATISTICS.popularityDays)!;
  const best = found.reduce((a, b) => (b.quality > a.quality ? b : a));
  return best.quality > usual.quality * (1 + TUNING_LIMITS.gainMin) ? best.days : usual.days;
}

/** Decayed counts of each item as of the last event known. */
function popularityOf(log: Interactions, known: Uint32Array, days: number): Float64Array {
  const { offsets, item, at, itemIds } = log;
  const counts = new Float64Array(itemIds.length);
  const now = known.reduce((latest, count, shopper) => (count === 0 ? latest : Math.max(latest, at[offsets[shopper]! + count - 1]!)), 0);
  forKnown(log, known, (event) => { counts[item[event]!]! += 2 ** ((at[event]! - now) / (days * DAY_MS)); });
  return counts;
}

/** Place of each item, highest value first, from 1. */
function ranksOf(values: Float64Array): Uint32Array {
  const ranks = new Uint32Array(values.length);
  Array.from(values.keys()).toSorted((a, b) => values[b]! - values[a]!).forEach((item, place) => { ranks[item] = place + 1; });
  return ranks;
}

function* alternatives(step: Candidates, settings: StatisticsSettings): Generator<StatisticsSettings> {
  for (const [name, values] of Object.entries(step)) {
    for (const value of values) if (value !== settings[name as keyof StatisticsSettings]) yield { ...settings, [name]: value };
  }
}

/** Counts the known events of each shopper; shoppers and items stand for themselves by their numbers. */
export function countInteractions(log: Interactions, known: Uint32Array, settings: StatisticsSettings): StatisticsBuilder {
  const builder = new StatisticsBuilder(settings);
  forKnown(log, known, (event, shopper) => {
    const interest = INTEREST[EVENT_TYPES[log.type[event]!]!];
    if (interest !== undefined) builder.count(shopper, log.item[event]!, interest, log.at[event]!);
  });
  return builder;
}

/** Shoppers and questions by lot, where there are too many. */
function sampleSplit({ shoppers }: Interactions, { known, questions }: Split, seed: number): Split {
  const random = seededRandom(seed);
  const chosen: Question[] = [...questions];
  shuffle(chosen, random);
  const kept = new Uint32Array(known.length);
  const order = Array.from({ length: shoppers }, (_, shopper) => shopper);
  shuffle(order, random);
  let events = 0;
  for (const shopper of order) {
    if (events + known[shopper]! > TUNING_LIMITS.events) continue;
    events += known[shopper]!;
    kept[shopper] = known[shopper]!;
  }
  return { known: kept, questions: chosen.slice(0, TUNING_LIMITS.questions) };
}
