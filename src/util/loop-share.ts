/** What one turn of the event loop may give to work that came all at once, ms. */
const SLICE_MS = 8;

let startedAt: number | undefined;
let nextTurn: Promise<void> | undefined;

/**
 * Cuts a heap of small tasks, whoever they belong to, into slices between which the event loop turns: a task asks before
 * it begins. Without it tasks that wait for nothing run one after another until the last one is done.
 * @returns undefined: go on; else wait for it, and ask again
 */
export function loopShare(): Promise<void> | undefined {
  const now = performance.now();
  if (startedAt === undefined) {
    startedAt = now;
    nextTurn = new Promise((resolve) => {
      setImmediate(() => {
        startedAt = undefined;
        resolve();
      });
    });
  }
  return now - startedAt < SLICE_MS ? undefined : nextTurn;
}
