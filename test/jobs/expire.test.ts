import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { EventArchiver } from '../../src/jobs/archive.js';
import { ArchiveWriter } from '../../src/archive/writer.js';
import { eraseArchive } from '../../src/jobs/erase-archive.js';
import { expire } from '../../src/jobs/expire.js';
import { parseEvent, type EventEntry } from '../../src/jobs/streams.js';
import type { StreamRecord } from '../../src/domain/record.js';
import { readArchive } from '../../src/archive/reader.js';
import { StreamKeeper } from '../../src/redis/stream-keeper.js';
import { startRedis } from '../helpers/redis.js';
import { anEvent, append, commandsTo, eventStreams, keys, tempDir } from '../helpers/streams.js';

const server = await startRedis();
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });

await t.test('folders past their time and workers long gone are forgotten, those with unfinished entries are not', async (t) => {
  const dir = await tempDir();
  t.teardown(() => dir.remove());
  await mkdir(join(dir.path, 'events-2020-01-01'));
  const stream = keys.eventsOf('u:ann');
  const ids = await append(redis, anEvent(), anEvent(), anEvent());
  await redis.xgroup('CREATE', stream, 'g', '0');
  const take = (name: string): Promise<unknown> => redis.xreadgroup('GROUP', 'g', name, 'COUNT', 1, 'STREAMS', stream, '>');
  await take('gone');
  await take('unfinished');
  await new Promise((done) => { setTimeout(done, 2100); });
  await take('alive');
  await redis.xack(stream, 'g', ids[0]!, ids[2]!);
  const counts: object[] = [];
  const run = expire({
    dir: dir.path, days: 30, clock: Date.now, keeper: new StreamKeeper(redis), streams: eventStreams, consumerGoneMs: 2000, onDone: (done) => { counts.push(done); },
  });
  await run();
  await run();
  t.same(counts, [{ folders: 1, consumers: 1 }, { folders: 0, consumers: 0 }]);
  const left = (await redis.xinfo('CONSUMERS', stream, 'g')) as string[][];
  t.same(new Set(left.map((fields) => fields[1])), new Set(['alive', 'unfinished']));
});

await t.test('an erasure that passes through the stream is carried out in the archive once its hour is closed', async (t) => {
  const dir = await tempDir();
  t.teardown(() => dir.remove());
  let now = Date.parse('2026-03-01T10:30:00Z');
  const clock = (): number => now;
  const jobs: { from: number; closedAt: number }[] = [];
  const writer = new ArchiveWriter(dir.path, 'w', clock);
  t.teardown(() => writer.close());
  const archiver = new EventArchiver({ writer, clock, onErased: async (hour) => { jobs.push(hour); } });
  const entry = (ms: number, record: StreamRecord): EventEntry =>
    parseEvent(0, `${ms}-0`, [Buffer.from('e'), Buffer.from(JSON.stringify(record))])!;
  await archiver.handle([entry(now, anEvent({ shopper: 'u:ann' })), entry(now + 1, anEvent({ shopper: 'u:bob', id: 'bob' }))]);
  t.equal(jobs.length, 0);
  await archiver.handle([entry(now + 2, { type: 'erase', id: 'x', shopper: 'u:ann', at: now })]);
  t.same(jobs, [{ from: Date.parse('2026-03-01T10:00:00Z'), closedAt: Date.parse('2026-03-01T11:05:00Z') }]);
  const removed: number[] = [];
  const erase = eraseArchive({ dir: dir.path, clock, onDone: (lines) => { removed.push(lines); } });
  now = jobs[0]!.closedAt;
  await erase({ from: jobs[0]!.from });
  await erase({ from: jobs[0]!.from });
  t.same(removed, [1, 0]);
  const ids: string[] = [];
  for await (const { id } of readArchive(dir.path)) ids.push(id);
  t.same(ids, ['bob']);
});
