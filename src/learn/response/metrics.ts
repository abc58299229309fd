import type { CalibrationReport } from '../evaluate/calibration.js';

/** How well probabilities of a yes foretell it. Scores may be logits wherever only their order counts. */

const BINS = 10;

export interface ResponseQuality {
  /** Area under the ROC curve: chance that a yes is scored above a no, ties half. */
  readonly rocAuc: number;
  /** Average precision: area under the precision–recall curve by steps. */
  readonly prAuc: number;
  /** Mean −log p of what came. */
  readonly logLoss: number;
  /** Expected calibration error over ten bins of equal count. */
  readonly calibrationError: number;
}

export function measureResponse(logits: ArrayLike<number>, labels: ArrayLike<number>): ResponseQuality {
  return { rocAuc: rocAuc(logits, labels), prAuc: prAuc(logits, labels), logLoss: logLoss(logits, labels), calibrationError: calibration(logits, labels).error };
}

/** Indexes by falling score in groups of equal ones: a metric must not gain from the order it was given. */
function* tiesDown(scores: ArrayLike<number>): Generator<number[]> {
  const order = Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
  let group: number[] = [];
  for (const i of order) {
    if (group.length > 0 && scores[group[0]!] !== scores[i]) {
      yield group;
      group = [];
    }
    group.push(i);
  }
  if (group.length > 0) yield group;
}

/** @returns 0.5 without both a yes and a no */
export function rocAuc(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  let [yes, no, pairs] = [0, 0, 0];
  for (const group of tiesDown(scores)) {
    const hits = group.reduce((sum, i) => sum + labels[i]!, 0);
    const misses = group.length - hits;
    pairs += misses * (yes + hits / 2);
    yes += hits;
    no += misses;
  }
  return yes === 0 || no === 0 ? 0.5 : pairs / (yes * no);
}

/** @returns 0 without a yes */
export function prAuc(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  let [seen, yes, sum] = [0, 0, 0];
  for (const group of tiesDown(scores)) {
    const hits = group.reduce((total, i) => total + labels[i]!, 0);
    seen += group.length;
    yes += hits;
    sum += hits * yes / seen;
  }
  return yes === 0 ? 0 : sum / yes;
}

export function logLoss(logits: ArrayLike<number>, labels: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    const x = logits[i]!;
    sum += Math.max(x, 0) - x * labels[i]! + Math.log1p(Math.exp(-Math.abs(x)));
  }
  return sum / Math.max(1, logits.length);
}

/** Ten bins of equal count by the probability said: of a rare yes, bins of equal width would leave nearly all in one. */
export function calibration(logits: ArrayLike<number>, labels: ArrayLike<number>): CalibrationReport {
  const rows = Array.from({ length: logits.length }, (_, i) => ({ said: 1 / (1 + Math.exp(-logits[i]!)), came: labels[i]! })).sort((a, b) => a.said - b.said);
  const mean = (part: typeof rows, of: 'said' | 'came'): number => part.reduce((sum, row) => sum + row[of], 0) / Math.max(1, part.length);
  const bins = Array.from({ length: BINS }, (_, bin) => rows.slice(Math.floor(bin * rows.length / BINS), Math.floor((bin + 1) * rows.length / BINS)))
    .filter((part) => part.length > 0)
    .map((part) => ({ from: part[0]!.said, to: part.at(-1)!.said, items: part.length, said: mean(part, 'said'), came: mean(part, 'came') }));
  const error = bins.reduce((sum, { items, said, came }) => sum + items * Math.abs(said - came), 0) / Math.max(1, rows.length);
  return { of: 'probability said, ten bins of equal count', error, bins };
}
