import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { KEPT_LIMITS, KeptProcess } from '../../src/processes/kept-process.js';
import { isAlive } from '../helpers/processes.js';
import { silent, until } from '../helpers/streams.js';

const dir = await mkdtemp(join(tmpdir(), 'rivulet-kept-'));
t.teardown(() => rm(dir, { recursive: true, force: true }));
const broken = join(dir, 'broken');
const program = join(dir, 'program.mjs');
/** Says where it is, ends when asked; it does not start while the file is there, and asked to end by a signal it does not when it is deaf. */
await writeFile(program, `
import { existsSync } from 'node:fs';
if (existsSync(${JSON.stringify(broken)})) process.exit(3);
process.on('message', ({ type }) => { if (type === 'retire') process.exit(0); });
process.on('disconnect', () => process.exit(1));
process.on('SIGTERM', () => { if (process.argv[2] !== 'deaf') process.exit(0); });
process.send({ type: 'ready', url: String(process.pid) });
`);

interface Kept { readonly kept: KeptProcess; /** Of all its generations. */ readonly children: ChildProcess[]; readonly ready: ChildProcess[] }

function keep(t: Test, args: readonly string[] = []): Kept {
  const children: ChildProcess[] = [];
  const ready: ChildProcess[] = [];
  const kept = new KeptProcess({
    // So that a deaf one is killed after a second.
    name: 'test', drainMs: 1000 - KEPT_LIMITS.endMs, clock: Date.now, log: silent, onReady: (child) => { ready.push(child); },
    fork: () => {
      const child = fork(program, args);
      children.push(child);
      return child;
    },
  });
  t.teardown(() => kept.stop());
  return { kept, children, ready };
}

const alive = (children: readonly ChildProcess[]): number[] => children.flatMap(({ pid = 0 }) => (isAlive(pid) ? [pid] : []));

await t.test('it says where it is, is started again when it dies, and ends when it is to', async (t) => {
  const { kept, children, ready } = keep(t);
  const url = await kept.start();
  t.equal(url, String(children[0]!.pid));
  children[0]!.kill('SIGKILL');
  await until('there is another one', () => ready.length === 2);
  t.same(alive(children), [children[1]!.pid]);
  await kept.stop();
  t.same(alive(children), []);
});

await t.test('a replacement is ready before the old one goes; one that does not get ready leaves all as it was', async (t) => {
  const { kept, children, ready } = keep(t);
  await kept.start();
  await kept.replace();
  t.equal(ready.length, 2);
  t.same(alive(children), [children[1]!.pid]);
  t.equal(children[0]!.exitCode, 0, 'it was asked to');
  await writeFile(broken, '');
  await t.rejects(kept.replace(), { message: /ended before it was ready \(3\)/u });
  t.same(alive(children), [children[1]!.pid], 'the old one stays');
  children[1]!.kill('SIGKILL');
  await until('it is tried again and again', () => children.length >= 5);
  await rm(broken);
  await until('it runs again', () => ready.length === 3);
  t.equal(alive(children).length, 1);
});

await t.test('one that cannot start at all says so; one that does not listen is killed', async (t) => {
  await writeFile(broken, '');
  const none = keep(t);
  await t.rejects(none.kept.start(), { code: 'internal' });
  await none.kept.stop();
  await rm(broken);
  const { kept, children } = keep(t, ['deaf']);
  await kept.start();
  await kept.stop();
  t.equal(children[0]!.signalCode, 'SIGKILL');
});
