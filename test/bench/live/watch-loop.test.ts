import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { stallsIn, WATCHED } from '../../../bench/live/processes.js';

/** Holds the loop up twice: at work for 100 ms of its own time, then without a core. */
const SCRIPT = `
  const { readFileSync } = require('node:fs');
  const ran = () => Number(readFileSync('/proc/self/task/' + process.pid + '/schedstat', 'latin1').split(' ')[0]) / 1e6;
  setTimeout(() => { const until = ran() + 100; while (ran() < until); }, 100);
  setTimeout(() => { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100); }, 500);
  setTimeout(() => {}, 1000);`;

await t.test('a delay of the loop is the process\'s own as far as it had a core', async (t) => {
  const { stderr } = await promisify(execFile)(process.execPath, [...WATCHED, '-e', SCRIPT]);
  const stalls = stallsIn(stderr);
  t.ok(stalls.length >= 2, stderr);
  for (const { delayMs, ownMs, gcMs } of stalls) t.ok(ownMs <= delayMs + 10 && gcMs <= delayMs, 'a tick of the clock more, perhaps');
  const most = Math.max(...stalls.map(({ ownMs }) => ownMs));
  t.ok(most >= 90, `${most} ms of its own while it worked`);
  const { ownMs: last } = stalls.at(-1)!;
  t.ok(last < most / 2, `${last} ms when it stood still`);
});
