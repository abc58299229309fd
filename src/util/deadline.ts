/** What `within` gives when time ran out. */
export const LATE = Symbol('late');

/**
 * Waits for a promise, but not longer than `ms`. The work goes on; a later failure of it is not reported.
 * @throws what the promise throws in time
 */
export function within<T>(promise: Promise<T>, ms: number): Promise<T | typeof LATE> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms, LATE);
    const settle = <V>(done: (value: V) => void) => (value: V): void => {
      clearTimeout(timer);
      done(value);
    };
    void promise.then(settle(resolve), settle(reject));
  });
}
