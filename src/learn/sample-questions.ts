import { seededRandom, shuffle } from '../util/random.js';
import type { Question } from './task.js';

/** All questions, or so many drawn by lot, in their order. */
export function sampleQuestions(questions: readonly Question[], max: number, seed: number): readonly Question[] {
  if (questions.length <= max) return questions;
  const drawn = Array.from(questions.keys());
  shuffle(drawn, seededRandom(seed));
  return drawn.slice(0, max).sort((a, b) => a - b).map((i) => questions[i]!);
}
