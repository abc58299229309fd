import { readFileSync } from 'node:fs';

/**
 * Loaded into the engine's processes where delays of the event loop are measured: says of each that is longer than `SHORT_MS`, as a line on
 * stderr, how long it was and for how much of it the thread stood in line for a core, which another process had. See `Stall`.
 */
const EVERY_MS = 5;
const SHORT_MS = 20;
const NS_PER_MS = 1e6;
const STAT = `/proc/self/task/${process.pid}/schedstat`;

/** Time that this thread has waited for a core so far, ms: the second number there (Linux). */
const waited = (): number => Number(readFileSync(STAT, 'latin1').split(' ')[1]) / NS_PER_MS;

let dueAt = performance.now() + EVERY_MS;
let waitedMs = waited();

setInterval(() => {
  const [now, nowWaitedMs] = [performance.now(), waited()];
  const delayMs = now - dueAt;
  const ownMs = Math.max(0, delayMs - (nowWaitedMs - waitedMs));
  if (delayMs > SHORT_MS) process.stderr.write(`${JSON.stringify({ stall: { at: Date.now(), delayMs: Math.round(delayMs), ownMs: Math.round(ownMs) } })}\n`);
  dueAt = performance.now() + EVERY_MS;
  waitedMs = nowWaitedMs;
}, EVERY_MS).unref();
