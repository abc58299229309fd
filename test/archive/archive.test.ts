import { appendFile, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { eraseFromArchive } from '../../src/archive/erase.js';
import { expireArchive } from '../../src/archive/expire.js';
import { listSlots, slotClosedAt, slotStart, type ArchiveKind } from '../../src/archive/files.js';
import { noCounts, readArchive, readImpressions } from '../../src/archive/reader.js';
import { ArchiveWriter } from '../../src/archive/writer.js';
import type { ShopperEvent } from '../../src/domain/event.js';
import type { ShopperRecord } from '../../src/domain/record.js';
import { anEvent, tempDir } from '../helpers/streams.js';

const HOUR_MS = 3_600_000;
const START = Date.parse('2026-03-01T10:30:00Z');

/** A folder and a clock of one test. */
async function archive(t: Test) {
  const dir = await tempDir();
  t.teardown(() => dir.remove());
  const time = { now: START };
  const clock = (): number => time.now;
  const writer = (name: string): ArchiveWriter => {
    const made = new ArchiveWriter(dir.path, name, clock);
    t.teardown(() => made.close());
    return made;
  };
  return { dir: dir.path, time, clock, writer };
}

const line = (ms: number, event: ShopperEvent): string => JSON.stringify({ entry: `${ms}-0`, event });
const mark = (ms: number, record: ShopperRecord): string => JSON.stringify({ entry: `${ms}-0`, record });

async function read(dir: string, counts = noCounts()): Promise<ShopperEvent[]> {
  const events: ShopperEvent[] = [];
  for await (const event of readArchive(dir, counts)) events.push(event);
  return events;
}

async function textOf(dir: string, kind: ArchiveKind): Promise<string> {
  const texts = await Promise.all((await listSlots(dir, kind)).flatMap(({ files }) => files.map((file) => readFile(file, 'utf8'))));
  return texts.join('');
}

await t.test('what two workers wrote over hours comes back in order, each once', async (t) => {
  const { dir, time, writer } = await archive(t);
  const [one, two] = [writer('one'), writer('two/../x')];
  const events = Array.from({ length: 40 }, (_, i) => anEvent({ at: START + i, query: `line\nbreak "${i}" 你好` }));
  for (let i = 0; i < events.length; i++) {
    if (i === 20) time.now += HOUR_MS;
    await (i % 3 === 0 ? one : two).append('events', [line(time.now + i, events[i]!)]);
  }
  // Written, not acknowledged, and taken over by the other worker an hour later.
  time.now += HOUR_MS;
  await two.append('events', [line(START, events[0]!), line(START + 3, events[3]!)]);
  const counts = noCounts();
  t.same(await read(dir, counts), events);
  t.same(counts, { read: 40, duplicates: 2, corrupt: 0, erased: 0, flagged: 0 });
  t.same(await readdir(dir), ['events-2026-03-01'], 'nothing lies outside of its folder');
});

await t.test('damaged lines and a line cut off by a crash are counted and passed over', async (t) => {
  const { dir, writer } = await archive(t);
  const events = [anEvent(), anEvent(), anEvent()];
  const before = writer('before');
  await before.append('events', [line(1, events[0]!)]);
  const [slot] = await listSlots(dir, 'events');
  await appendFile(slot!.files[0]!, `{"entry":"2-0","event":{"id":"x"}}\nnull\n\u0000\u0000\n${line(3, events[1]!)}\n${line(4, events[2]!).slice(0, 40)}`);
  await writer('after').append('events', [line(4, events[2]!)]);
  const counts = noCounts();
  t.same((await read(dir, counts)).map(({ id }) => id), events.map(({ id }) => id));
  t.equal(counts.corrupt, 4);
});

await t.test('an alias gives the events before it to the user; an erasure takes them away, and theirs', async (t) => {
  const { dir, writer } = await archive(t);
  const one = writer('one');
  const by = (ms: number, shopper: string, id: string): string => line(ms, anEvent({ id, shopper }));
  await one.append('events', [
    by(10, 'a:1', 'anonymous'), by(11, 'u:ann', 'signed in'), by(12, 'u:bob', 'of another'), by(40, 'u:ann', 'after the alias'), by(60, 'u:ann', 'after the erasure'),
    by(13, 'a:2', 'later merged'), by(61, 'a:1', 'a new visitor'),
  ]);
  await one.append('shoppers', [mark(30, { type: 'alias', id: 'x', from: 'a:1', shopper: 'u:ann', at: 30 })]);
  const shoppersOf = async (): Promise<Record<string, string>> => Object.fromEntries((await read(dir)).map(({ id, shopper }) => [id, shopper]));
  t.same(await shoppersOf(), {
    anonymous: 'u:ann', 'signed in': 'u:ann', 'of another': 'u:bob', 'after the alias': 'u:ann', 'after the erasure': 'u:ann', 'later merged': 'a:2', 'a new visitor': 'a:1',
  });
  await writer('two').append('shoppers', [
    mark(50, { type: 'erase', id: 'y', shopper: 'u:ann', at: 50 }),
    mark(55, { type: 'alias', id: 'z', from: 'a:2', shopper: 'u:ann', at: 55 }),
  ]);
  t.same(await shoppersOf(), { 'of another': 'u:bob', 'after the erasure': 'u:ann', 'later merged': 'u:ann', 'a new visitor': 'a:1' });
});

await t.test('an erasure is carried out in closed files, and only there', async (t) => {
  const { dir, time, writer } = await archive(t);
  const one = writer('one');
  const vectors = Buffer.from(Float32Array.of(1, 2).buffer).toString('base64');
  const impression = (ms: number, shopper: string): string =>
    JSON.stringify({ entry: `${ms}-0`, impression: { requestId: `r${ms}`, shopper, scene: 'home', model: 'm', at: ms, items: [] }, vectors });
  await one.append('events', [line(START, anEvent({ shopper: 'u:ann', id: 'ann-1' })), line(START + 1, anEvent({ shopper: 'u:bob', id: 'bob-1' }))]);
  await one.append('impressions', [impression(START, 'u:ann'), impression(START + 1, 'u:bob')]);
  time.now += HOUR_MS;
  await one.append('events', [line(time.now, anEvent({ shopper: 'u:ann', id: 'ann-2' }))]);
  await one.append('shoppers', [mark(time.now + 1, { type: 'erase', id: 'x', shopper: 'u:ann', at: time.now + 1 })]);
  t.equal(await eraseFromArchive(dir, { since: time.now - HOUR_MS, now: time.now }), 2, 'the hour before');
  t.match(await textOf(dir, 'events'), /bob-1[^]*ann-2/u);
  t.notMatch(await textOf(dir, 'events'), /ann-1/u);
  t.equal(await eraseFromArchive(dir, { since: time.now - HOUR_MS, now: slotClosedAt(slotStart(time.now)) }), 1, 'and this one once it is closed');
  t.notMatch(await textOf(dir, 'events') + await textOf(dir, 'impressions'), /u:ann/u);
  t.equal(await eraseFromArchive(dir, { since: 0, now: time.now + HOUR_MS * 9 }), 0, 'then nothing is left to do');
  t.same((await read(dir)).map(({ id }) => id), ['bob-1']);
  for await (const { shopper, vectors: [first, second] } of readImpressions(dir)) t.same([shopper, first, second], ['u:bob', 1, 2]);
});

await t.test('a write that took longer than its hour is done again in the next: the file may be under revision', async (t) => {
  const { dir, time } = await archive(t);
  const times = [time.now, time.now + 2 * HOUR_MS];
  const writer = new ArchiveWriter(dir, 'slow', () => times.shift() ?? time.now + 2 * HOUR_MS);
  await writer.append('events', [line(time.now, anEvent({ id: 'once' }))]);
  await writer.close();
  t.equal((await listSlots(dir, 'events')).length, 2);
  t.same((await read(dir)).map(({ id }) => id), ['once']);
});

await t.test('a disk that refuses fails the append; the next one begins a new file', async (t) => {
  const { dir, writer } = await archive(t);
  await appendFile(join(dir, 'events-2026-03-01'), 'a file where the folder belongs');
  const one = writer('one');
  await t.rejects(one.append('events', [line(1, anEvent())]));
  await rm(join(dir, 'events-2026-03-01'));
  await one.append('events', [line(1, anEvent({ id: 'now' }))]);
  t.same((await read(dir)).map(({ id }) => id), ['now']);
});

await t.test('days past their time are deleted', async (t) => {
  const { dir, time, writer } = await archive(t);
  const one = writer('one');
  for (const kind of ['events', 'shoppers'] as const) await one.append(kind, ['{}']);
  time.now += 24 * HOUR_MS;
  await one.append('events', ['{}']);
  t.equal(await expireArchive(dir, { days: 30, now: Date.parse('2026-03-31T23:59:59Z') }), 0);
  t.equal(await expireArchive(dir, { days: 30, now: Date.parse('2026-04-01T00:00:00Z') }), 2);
  t.same(await readdir(dir), ['events-2026-03-02']);
});
