import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { noCounts, readArchive } from '../../src/archive/reader.js';
import { groupLag } from '../../src/jobs/streams.js';
import { startRedis } from '../helpers/redis.js';
import { anEvent, append, commandsTo, eventStreams, tempDir, until } from '../helpers/streams.js';

const server = await startRedis();
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });

async function startChild(dir: string, name: string, batches = Infinity): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL('../helpers/archive-child.js', import.meta.url)), [server.url, dir, name, String(batches)], { execArgv: [] });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'message');
  return child;
}

await t.test('workers killed again and again while they write and acknowledge: the archive has every event, once', async (t) => {
  const dir = await tempDir();
  t.teardown(() => dir.remove());
  const appended: string[] = [];
  const load = new AbortController();
  const writing = (async () => {
    while (!load.signal.aborted) {
      const events = Array.from({ length: 25 }, (_, i) => anEvent({ shopper: `u:${i}` }));
      await append(redis, ...events);
      for (const { id } of events) appended.push(id);
      await new Promise((done) => { setTimeout(done, 2); });
    }
  })();
  const steady = await startChild(dir.path, 'steady');
  for (let round = 0; round < 4; round++) {
    const doomed = await startChild(dir.path, `doomed-${round}`, 1 + round * 2);
    if (doomed.exitCode === null && doomed.signalCode === null) await once(doomed, 'exit');
  }
  load.abort();
  await writing;
  await until('what the dead held is taken over', async () => (await groupLag(redis, eventStreams, 'archive')) === 0, 20_000);
  steady.kill('SIGKILL');
  const counts = noCounts();
  const ids: string[] = [];
  for await (const { id } of readArchive(dir.path, counts)) ids.push(id);
  t.equal(ids.length, appended.length);
  t.same(ids.toSorted(), appended.toSorted());
  t.ok(counts.duplicates > 0, 'some were written twice');
  t.equal(counts.corrupt, 0);
});
