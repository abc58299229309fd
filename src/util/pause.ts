/** Waits for `ms`, or until the signal is given if that is sooner. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}

/** Lets everything else that waits have its turn. */
export const breathe = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

/** Pause before try number `failures` (1, 2, …): doubles from `fromMs` to `toMs`. */
export const backoffMs = (failures: number, fromMs: number, toMs: number): number =>
  Math.min(toMs, fromMs * 2 ** Math.min(failures - 1, 30));
