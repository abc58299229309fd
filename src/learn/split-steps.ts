import type { Interactions, Question, Split, Task } from './task.js';

/** Service counts within seconds; a replay that counts anew every day takes most of an evaluation. */
const STEP_MS = 7 * 86_400_000;

/**
 * A split in the steps in which it is answered. Where the clock tells what was known before a question (next basket),
 * statistics go on counting, as in service: a step is a week's questions, asked of all that had happened when the week
 * began. Any other split is one step. The steps' questions, one after another, are the split's, which are in time order.
 */
export function stepsOf({ protocol, interactions }: Task, split: Split): readonly Split[] {
  if (protocol !== 'next-basket') return [split];
  const weeks = new Map<number, Question[]>();
  for (const question of split.questions) {
    const week = Math.floor(question.at / STEP_MS);
    const asked = weeks.get(week);
    if (asked === undefined) weeks.set(week, [question]);
    else asked.push(question);
  }
  return [...weeks].map(([week, questions]) => ({ known: knownBefore(interactions, week * STEP_MS, split.known), questions }));
}

/** What had happened before a time, and no less than `known`. */
function knownBefore({ offsets, at }: Interactions, time: number, known: Uint32Array): Uint32Array {
  return known.map((least, shopper) => {
    const from = offsets[shopper]!;
    const end = offsets[shopper + 1]!;
    let event = from + least;
    while (event < end && at[event]! < time) event++;
    return event - from;
  });
}
