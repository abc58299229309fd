/** What `within` gives when time ran out. */
export const LATE = Symbol('late');

/**
 * Waits for a promise, but not longer than `ms`. The work goes on; a later failure of it is not reported.
 * @throws what the promise throws in time
 */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | typeof LATE> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(resolve, ms, LATE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
