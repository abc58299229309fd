/** What `within` gives when time ran out. */
export const LATE = Symbol('late');

/**
 * Waits for a promise, but not longer than `ms`, nor beyond the signal. The work goes on; a later failure of it is not reported.
 * @throws what the promise throws in time
 */
export function within<T>(promise: Promise<T>, ms: number, signal?: AbortSignal): Promise<T | typeof LATE> {
  return new Promise((resolve, reject) => {
    const late = (): void => { settle(resolve)(LATE); };
    const timer = setTimeout(late, ms);
    const settle = <V>(done: (value: V) => void) => (value: V): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', late);
      done(value);
    };
    signal?.addEventListener('abort', late);
    if (signal?.aborted === true) late();
    void promise.then(settle(resolve), settle(reject));
  });
}
