import { readFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';

/**
 * Loaded into the engine's processes where delays of the event loop are measured: says of each that is longer than `SHORT_MS`, as a line on
 * stderr, how long it was, for how much of it the thread did not just stand in line for a core, which another process had, and how much went
 * to collecting garbage. See `Stall`.
 */
const EVERY_MS = 5;
const SHORT_MS = 20;
/** Collections are told of only after they are over, ms; and are forgotten … */
const TOLD_MS = 100;
const COLLECTIONS_MAX = 1000;
const NS_PER_MS = 1e6;
const STAT = `/proc/self/task/${process.pid}/schedstat`;

/** Time that this thread has waited for a core so far, ms: the second number there (Linux). */
const waited = (): number => Number(readFileSync(STAT, 'latin1').split(' ')[1]) / NS_PER_MS;

const collections: { readonly startTime: number; readonly duration: number }[] = [];
new PerformanceObserver((list) => {
  collections.push(...list.getEntries());
  collections.splice(0, collections.length - COLLECTIONS_MAX);
}).observe({ entryTypes: ['gc'] });

/** Time of collections between two moments, ms of `performance.now()`. */
const collecting = (from: number, to: number): number =>
  collections.reduce((sum, { startTime, duration }) => sum + Math.max(0, Math.min(to, startTime + duration) - Math.max(from, startTime)), 0);

function say(stall: { readonly at: number; readonly delayMs: number; readonly ownMs: number }, from: number, to: number): void {
  const rounded = { at: stall.at, delayMs: Math.round(stall.delayMs), ownMs: Math.round(stall.ownMs), gcMs: Math.round(collecting(from, to)) };
  process.stderr.write(`${JSON.stringify({ stall: rounded })}\n`);
}

let dueAt = performance.now() + EVERY_MS;
let waitedMs = waited();

setInterval(() => {
  const [now, nowWaitedMs] = [performance.now(), waited()];
  const delayMs = now - dueAt;
  const ownMs = Math.max(0, delayMs - (nowWaitedMs - waitedMs));
  const stall = { at: Date.now(), delayMs, ownMs };
  if (delayMs > SHORT_MS) setTimeout(say, TOLD_MS, stall, dueAt, now).unref();
  dueAt = performance.now() + EVERY_MS;
  waitedMs = nowWaitedMs;
}, EVERY_MS).unref();
