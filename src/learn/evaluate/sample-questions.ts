import { seededRandom, shuffle } from '../../util/random.js';
import type { Question } from '../task.js';

/** All questions, or so many drawn by lot. */
export function sampleQuestions(questions: readonly Question[], max: number, seed: number): readonly Question[] {
  if (questions.length <= max) return questions;
  const drawn = [...questions];
  shuffle(drawn, seededRandom(seed));
  return drawn.slice(0, max);
}
