import type { Task } from '../task.js';
import type { CalibrationReport } from './calibration.js';
import type { Interval, Judgement, Values } from './judge.js';
import { HEADLINES } from './metrics.js';
import type { View } from './views.js';

/** How one method did, in the views of the protocol. */
export interface MethodReport {
  /** Fractions; `NDCG@10`, and with a view's label behind it `NDCG@20 never bought`. */
  readonly metrics: Values;
  /** 95 % bootstrap intervals of the same. */
  readonly intervals: Readonly<Record<string, Interval>>;
  /** Asked in the first view: a sample for baselines of very large data sets. */
  readonly questions: number;
  readonly seconds: number;
  readonly 'coverage@10': number;
  readonly popularityBias: Judgement['popularityBias'];
  readonly newItemShare: Judgement['newItemShare'];
}

/** What `npm run evaluate` writes. */
export interface EvaluationReport {
  readonly dataset: string;
  readonly protocol: Task['protocol'];
  readonly seed: number;
  /** Name and version of the model served. */
  readonly model: string;
  readonly data: Readonly<Record<'items' | 'shoppers' | 'events' | 'questions' | 'skippedLines', number>>;
  /** Of the model as it is served by default, re-ranking and exploration included. */
  readonly metrics: Values;
  /** Metrics of each baseline. */
  readonly baselines: Readonly<Record<string, Values>>;
  /** From reading the log to the model folder, s. */
  readonly trainSeconds: number;
  /** Of the whole command; it starts no process of its own. */
  readonly peakRssBytes: number;
  readonly seconds: number;
  /** The model, its variants (by what is different) and the baselines, in full. */
  readonly methods: Readonly<Record<string, MethodReport>>;
  /** `recall@50` to `recall@500` of every source and of their union, and the protocol's metrics of each alone; of a sample. */
  readonly sources: Readonly<Record<string, Values>>;
  readonly calibration: CalibrationReport;
  /** Of the model. */
  readonly segments: Judgement['segments'];
  /** Of one request, the profile given, ms. */
  readonly latency: { readonly p50Ms: number; readonly p99Ms: number };
}

/** Name of the model among the methods. */
export const SERVED = 'served';

/** Joins a method's views. */
export function methodReport(views: readonly View[], judgements: readonly Judgement[], seconds: number): MethodReport {
  const labelled = <T>(of: (judgement: Judgement) => Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(judgements.flatMap((judgement, i) =>
      Object.entries(of(judgement)).map(([name, value]): [string, T] => [`${name}${views[i]!.label}`, value])));
  const { questions, 'coverage@10': coverage, popularityBias, newItemShare } = judgements[0]!;
  return {
    metrics: labelled(({ metrics }) => metrics), intervals: labelled(({ intervals }) => intervals), questions, seconds,
    'coverage@10': coverage, popularityBias, newItemShare,
  };
}

/** The metrics that decide, in every view. */
export function headlines({ protocol, metrics }: Pick<EvaluationReport, 'protocol' | 'metrics'>): string[] {
  return Object.keys(metrics).filter((name) => HEADLINES[protocol].some((headline) => name === headline || name.startsWith(`${headline} `)));
}

/** One table: methods by headline metrics, with half the width of their interval. */
export function textTable(report: EvaluationReport): string {
  const names = headlines(report);
  const rows = Object.entries(report.methods).map(([method, { metrics, intervals, 'coverage@10': coverage, popularityBias }]) => [
    method,
    ...names.map((name) => `${fraction(metrics[name]!)} ±${fraction((intervals[name]![1] - intervals[name]![0]) / 2)}`),
    fraction(coverage), fraction(popularityBias.recommended),
  ]);
  const table = [['method', ...names, 'coverage@10', 'popularity'], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ')).join('\n');
}

/** `.0531` */
export const fraction = (value: number): string => value.toFixed(4).replace(/^0\./u, '.');
