import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { FrozenCores } from '../../../bench/live/frozen-cores.js';

await t.test('time in which a core stood still is told by core and between two moments', async (t) => {
  const cores = new FrozenCores();
  t.teardown(() => { cores.end(); });
  await pause(1000);
  if (!cores.isWatched) {
    t.pass('without the right to real-time priority nothing is watched, and nothing said');
    t.equal(cores.frozenMs(0, Date.now(), 'any'), 0);
    return;
  }
  const [watcher] = cores.pids;
  const from = Date.now();
  process.kill(watcher!, 'SIGSTOP');
  await pause(300);
  process.kill(watcher!, 'SIGCONT');
  await pause(300);
  const [one, any] = (['one', 'any'] as const).map((which) => cores.frozenMs(from, from + 300, which));
  t.ok(one! > 200 && one! <= any! && any! <= 301, `${one} and ${any} ms, as if it stood still`);
  const before = cores.frozenMs(from - 2000, from - 1500, 'any');
  t.equal(before, 0, 'before it was even watched');
  cores.end();
  await pause(500);
  t.notOk(cores.isWatched, 'the watchers end with whoever asked');
});
