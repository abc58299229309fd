/** Closer to the next act than this the loop spins: a timer is only good to a millisecond. */
const SPIN_MS = 2;

/**
 * Acts at even intervals, whatever comes of it; resolves after the last.
 * @param act given its number and when it was due, in `performance.now()` time
 */
export function pace({ startedAt, rate, total }: { startedAt: number; rate: number; total: number }, act: (index: number, dueAt: number) => void): Promise<void> {
  const dueAt = (index: number): number => startedAt + (index / rate) * 1000;
  return new Promise((resolve) => {
    let index = 0;
    const turn = (): void => {
      const now = performance.now();
      for (; index < total && dueAt(index) <= now; index++) act(index, dueAt(index));
      if (index === total) resolve();
      else if (dueAt(index) - now > SPIN_MS) setTimeout(turn, 1);
      else setImmediate(turn);
    };
    turn();
  });
}
