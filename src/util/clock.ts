/** Milliseconds since 1970. The one clock is passed in; only `app.ts` and tests make one. */
export type Clock = () => number;
