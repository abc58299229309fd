import { seededRandom } from '../../../util/random.js';
import { interval95, ROUNDS } from './bootstrap.js';

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
  const curve = curveOf(sorted, new Uint16Array(sorted.length).fill(1));
  const random = seededRandom(seed);
  const areas = Array.from({ length: ROUNDS }, () => {
    const times = new Uint16Array(sorted.length);
    for (let drawn = 0; drawn < sorted.length; drawn++) times[Math.floor(random() * sorted.length)]! += 1;
    return areaOf(curveOf(sorted, times));
  });
  const [low, high] = interval95(areas);
  return { value: areaOf(curve), low, high, curve };
}

/** @param people best first  @param times how often each of them counts */
function curveOf(people: readonly Treated[], times: Uint16Array): [number, number][] {
  const treatedInAll = people.reduce((sum, { isTreated }, i) => sum + (isTreated ? times[i]! : 0), 0);
  const curve: [number, number][] = [[0, 0]];
  let [treated, others, treatedDid, othersDid, seen, at] = [0, 0, 0, 0, 0, 0];
  for (let point = 1; point <= POINTS; point++) {
    while (at < people.length && (seen < Math.floor(point * people.length / POINTS) || people[at]!.effect === people[at - 1]?.effect)) {
      const { isTreated, outcome } = people[at]!;
      const counts = times[at++]!;
      if (isTreated) [treated, treatedDid] = [treated + counts, treatedDid + counts * outcome];
      else [others, othersDid] = [others + counts, othersDid + counts * outcome];
      seen += counts;
    }
    curve.push([seen / people.length, (treatedDid - (others === 0 ? 0 : othersDid * treated / others)) / Math.max(1, treatedInAll)]);
  }
  return curve;
}

/** By the trapezium rule, less the triangle below the straight line. */
function areaOf(curve: readonly (readonly [number, number])[]): number {
  let area = 0;
  for (let i = 1; i < curve.length; i++) area += (curve[i]![0] - curve[i - 1]![0]) * (curve[i]![1] + curve[i - 1]![1]) / 2;
  return area - curve.at(-1)![1] / 2;
}
