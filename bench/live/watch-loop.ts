import { readFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import type { Stall } from './processes.js';

/**
 * Loaded into the engine's processes where delays of the event loop are measured: says of each that is longer than `SHORT_MS`, as a line on
 * stderr, how long it was, and for how much of it the thread had a core, or stood in a collection of garbage, whose helpers may have had one.
 * The rest is not its own: other processes had the cores, or the host of a virtual machine did, of whose pauses its counters say only some.
 * See `Stall`.
 */
const EVERY_MS = 5;
const SHORT_MS = 20;
/** Collections are told of only after they are over, ms; and are forgotten … */
const TOLD_MS = 100;
const COLLECTIONS_MAX = 1000;
const NS_PER_MS = 1e6;
const SCHEDULED = `/proc/self/task/${process.pid}/schedstat`;

/** Time that this thread has had a core so far, which no host of this machine took away meanwhile, and that it has waited for one, ms (Linux). */
function scheduled(): { ran: number; waited: number } {
  const [ran, waited] = readFileSync(SCHEDULED, 'latin1').split(' ').map((ns) => Number(ns) / NS_PER_MS);
  return { ran: ran!, waited: waited! };
}

const collections: { readonly startTime: number; readonly duration: number }[] = [];
new PerformanceObserver((list) => {
  collections.push(...list.getEntries());
  collections.splice(0, collections.length - COLLECTIONS_MAX);
}).observe({ entryTypes: ['gc'] });

/** Time of collections between two moments, ms of `performance.now()`. */
const collecting = (from: number, to: number): number =>
  collections.reduce((sum, { startTime, duration }) => sum + Math.max(0, Math.min(to, startTime + duration) - Math.max(from, startTime)), 0);

function say({ at, from, to, ran, waited }: { at: number; from: number; to: number; ran: number; waited: number }): void {
  const delay = to - from;
  const gc = collecting(from, to);
  const own = Math.min(ran + gc, Math.max(ran, delay - waited));
  const stall: Stall = { at, delayMs: Math.round(delay), ownMs: Math.round(own), gcMs: Math.round(gc) };
  process.stderr.write(`${JSON.stringify({ stall })}\n`);
}

let dueAt = performance.now() + EVERY_MS;
let before = scheduled();

setInterval(() => {
  const [now, after] = [performance.now(), scheduled()];
  if (now - dueAt > SHORT_MS) setTimeout(say, TOLD_MS, { at: Date.now(), from: dueAt, to: now, ran: after.ran - before.ran, waited: after.waited - before.waited }).unref();
  dueAt = performance.now() + EVERY_MS;
  before = after;
}, EVERY_MS).unref();
