import { bootstrap } from './bootstrap.js';

export interface Treated {
  /** Predicted. */
  readonly effect: number;
  readonly isTreated: boolean;
  readonly outcome: number;
}

export interface QiniCurve {
  /** Area between the curve and that of treating by lot, outcomes gained per treated person; 0 for a prediction that says nothing. */
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** Share treated, best first, and outcomes gained per treated person. */
  readonly curve: readonly (readonly [share: number, gained: number])[];
}

const POINTS = 20;

/**
 * Qini (Radcliffe, 2007): of the share φ of people with the highest predicted effect, Q(φ) = what the treated among them did beyond what as many
 * untreated among them did; beside it the straight line of treating the same share by lot. Equal effects are taken together, as one stretch.
 */
export function qini(people: readonly Treated[], seed: number): QiniCurve {
  const sorted = people.toSorted((a, b) => b.effect - a.effect);
  const curve = curveOf(sorted, POINTS);
  const [low, high] = bootstrap(sorted.map((_, i) => [i]), (rows) => areaOf(curveOf(inOrder(rows, sorted), POINTS)), seed);
  return { value: areaOf(curve), low, high, curve };
}

/** Those that were drawn, each as often as it was, best first. */
function inOrder(rows: readonly number[], sorted: readonly Treated[]): Treated[] {
  const times = new Uint16Array(sorted.length);
  for (const row of rows) times[row]! += 1;
  return sorted.flatMap((one, i) => Array.from({ length: times[i]! }, () => one));
}

/** @param people best first */
function curveOf(people: readonly Treated[], points: number): [number, number][] {
  const treatedInAll = people.reduce((sum, { isTreated }) => sum + (isTreated ? 1 : 0), 0);
  const curve: [number, number][] = [[0, 0]];
  let [treated, others, treatedDid, othersDid, at] = [0, 0, 0, 0, 0];
  for (let point = 1; point <= points; point++) {
    const until = Math.floor(point * people.length / points);
    while (at < people.length && (at < until || people[at]!.effect === people[at - 1]?.effect)) {
      const { isTreated, outcome } = people[at++]!;
      if (isTreated) [treated, treatedDid] = [treated + 1, treatedDid + outcome];
      else [others, othersDid] = [others + 1, othersDid + outcome];
    }
    curve.push([at / people.length, (treatedDid - (others === 0 ? 0 : othersDid * treated / others)) / Math.max(1, treatedInAll)]);
  }
  return curve;
}

/** By the trapezium rule, less the triangle below the straight line. */
function areaOf(curve: readonly (readonly [number, number])[]): number {
  let area = 0;
  for (let i = 1; i < curve.length; i++) area += (curve[i]![0] - curve[i - 1]![0]) * (curve[i]![1] + curve[i - 1]![1]) / 2;
  return area - curve.at(-1)![1] / 2;
}
