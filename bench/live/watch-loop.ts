import { readFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import type { Stall } from './processes.js';

/**
 * Loaded into the engine's processes where delays of the event loop are measured: says of each that is longer than `SHORT_MS`, as a line on
 * stderr, how long it was, for how much of it the thread neither stood in line for a core, which another process had, nor had its core taken
 * away by the host of this virtual machine, and how much went to collecting garbage. See `Stall`.
 */
const EVERY_MS = 5;
const SHORT_MS = 20;
/** Collections are told of only after they are over, ms; and are forgotten … */
const TOLD_MS = 100;
const COLLECTIONS_MAX = 1000;
const NS_PER_MS = 1e6;
const THREAD = `/proc/self/task/${process.pid}`;
/** Of Linux' counters of a core's time: their unit, and the place of what the host took. */
const MS_PER_TICK = 10;
const STEAL = 8;
/** Of a thread's numbers: the core it is on, counted behind its name, which may hold blanks. */
const CORE = 36;

/** Time that this thread has waited for a core so far, ms: the second number there (Linux). */
const waited = (): number => Number(readFileSync(`${THREAD}/schedstat`, 'latin1').split(' ')[1]) / NS_PER_MS;
const core = (): number => Number(readFileSync(`${THREAD}/stat`, 'latin1').split(') ')[1]?.split(' ')[CORE]);
/** Time that each core was kept from this machine so far, ms. */
const stolen = (): number[] => [...readFileSync('/proc/stat', 'latin1').matchAll(/^cpu\d+ .*$/gmu)].map(([line]) => Number(line.split(' ')[STEAL]) * MS_PER_TICK);

const collections: { readonly startTime: number; readonly duration: number }[] = [];
new PerformanceObserver((list) => {
  collections.push(...list.getEntries());
  collections.splice(0, collections.length - COLLECTIONS_MAX);
}).observe({ entryTypes: ['gc'] });

/** Time of collections between two moments, ms of `performance.now()`. */
const collecting = (from: number, to: number): number =>
  collections.reduce((sum, { startTime, duration }) => sum + Math.max(0, Math.min(to, startTime + duration) - Math.max(from, startTime)), 0);

function say(stall: Omit<Stall, 'gcMs'>, from: number, to: number): void {
  const { at, delayMs, ownMs, stolenMs } = stall;
  const rounded: Stall = { at, delayMs: Math.round(delayMs), ownMs: Math.round(ownMs), stolenMs, gcMs: Math.round(collecting(from, to)) };
  process.stderr.write(`${JSON.stringify({ stall: rounded })}\n`);
}

let dueAt = performance.now() + EVERY_MS;
let waitedMs = waited();
let stolenMs = stolen();

setInterval(() => {
  const [now, nowWaitedMs, nowStolenMs, on] = [performance.now(), waited(), stolen(), core()];
  const delayMs = now - dueAt;
  const stall = { at: Date.now(), delayMs, stolenMs: (nowStolenMs[on] ?? 0) - (stolenMs[on] ?? 0) };
  const ownMs = Math.max(0, delayMs - (nowWaitedMs - waitedMs) - stall.stolenMs);
  if (delayMs > SHORT_MS) setTimeout(say, TOLD_MS, { ...stall, ownMs }, dueAt, now).unref();
  dueAt = performance.now() + EVERY_MS;
  [waitedMs, stolenMs] = [nowWaitedMs, nowStolenMs];
}, EVERY_MS).unref();
