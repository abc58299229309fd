/**
 * The child process of `FrozenCores`: pinned to a core, at real-time priority, it does nothing but look at the clock, and says when it was
 * kept from that. Nothing else on this system could have kept it: the host of the virtual machine did.
 */
const EVERY_MS = 2;
/** At that priority 99 of 100 looks come within 0.1 ms of their time. */
const SHORT_MS = 2;

let last = performance.now();
setInterval(() => {
  const now = performance.now();
  const ms = now - last - EVERY_MS;
  last = now;
  if (ms > SHORT_MS) process.stdout.write(`${Date.now()} ${ms.toFixed(1)}\n`);
}, EVERY_MS);
// Without whoever asked there is nothing to do.
process.stdin.resume().on('end', () => { process.exit(); });
