/**
 * Loaded into the engine's processes where delays of the event loop are measured: says of each that is longer than `SHORT_MS`, as a line on
 * stderr, how long it was and how much of that time the process ran. What is missing between the two is the machine's, which
 * was busy with something else. See `Stall`.
 */
const EVERY_MS = 5;
const SHORT_MS = 20;
const US_PER_MS = 1000;

let dueAt = performance.now() + EVERY_MS;
let usedUs = used();

/** CPU time of all threads so far, collections of garbage and runs of the model among them. */
function used(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

setInterval(() => {
  const [now, nowUsedUs] = [performance.now(), used()];
  const delayMs = now - dueAt;
  // More than it ran in one place it cannot have been held up by itself.
  const ownMs = Math.min(delayMs, (nowUsedUs - usedUs) / US_PER_MS);
  if (delayMs > SHORT_MS) process.stderr.write(`${JSON.stringify({ stall: { at: Date.now(), delayMs: Math.round(delayMs), ownMs: Math.round(ownMs) } })}\n`);
  dueAt = performance.now() + EVERY_MS;
  usedUs = nowUsedUs;
}, EVERY_MS).unref();
