import type { Question, Split, Task } from '../task.js';

/** One way to ask a split's questions. */
export interface View {
  /** Put behind a metric's name: `NDCG@20 never bought`. */
  readonly label: '' | ' never bought' | ' among never bought';
  readonly questions: readonly Question[];
  /** Whether items of the history are left out of the ranking. */
  readonly excludeHistory: boolean;
}

/**
 * The questions as they are; and of baskets also those over what the shopper had never bought, once in the same ranking
 * of all items, and once where a shop asks for nothing else.
 */
export function viewsOf({ excludeHistory }: Task, { questions }: Split): View[] {
  const all: View = { label: '', questions, excludeHistory };
  if (!questions.some(({ fresh }) => fresh !== undefined)) return [all];
  const unbought = questions.flatMap((question) => (question.fresh?.length ? [{ ...question, wanted: question.fresh }] : []));
  return [
    all,
    { label: ' never bought', questions: unbought, excludeHistory },
    { label: ' among never bought', questions: unbought, excludeHistory: true },
  ];
}
