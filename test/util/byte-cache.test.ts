import fc from 'fast-check';
import t from 'tap';
import { ByteCache } from '../../src/util/byte-cache.js';

const same = (a: Uint8Array | undefined, b: Uint8Array): boolean => a !== undefined && Buffer.compare(a, b) === 0;
const write = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), value: fc.uint8Array({ maxLength: 40 }) });

await t.test('a value is read back as it was written last, or not at all; the newest always is', async () => {
  fc.assert(fc.property(fc.array(write, { maxLength: 60 }), (writes) => {
    const cache = new ByteCache(4, 64);
    const latest = new Map<string, Uint8Array>();
    return writes.every(({ key, value }) => {
      cache.set(key, value);
      latest.set(key, value);
      return same(cache.get(key), value) && [...latest].every(([other, known]) => cache.get(other) === undefined || same(cache.get(other), known));
    });
  }));
});

await t.test('as much is kept as there is room for', async (t) => {
  const cache = new ByteCache(100, 70);
  for (let i = 0; i < 10; i++) cache.set(`k${i}`, Buffer.alloc(7, i));
  for (let i = 0; i < 10; i++) t.ok(same(cache.get(`k${i}`), Buffer.alloc(7, i)));
  cache.set('one more', Buffer.alloc(1));
  t.equal(cache.get('k0'), undefined, 'it took the place of the oldest');
  t.ok(cache.get('k1'));
  cache.set('k1', Buffer.alloc(71));
  t.equal(cache.get('k1'), undefined, 'longer than the memory');
});

await t.test('a key that is written again and again takes the room of one value, and is not forgotten', async (t) => {
  const cache = new ByteCache(100, 1000);
  cache.set('quiet', Buffer.alloc(80, 1));
  for (let i = 0; i < 1000; i++) cache.set('busy', Buffer.alloc(80 + i % 11, i));
  t.ok(same(cache.get('quiet'), Buffer.alloc(80, 1)), 'nobody else was pushed out');
  for (let i = 0; i < 100; i++) {
    cache.set(`k${i}`, Buffer.alloc(80, i));
    cache.set('busy', Buffer.alloc(80, i));
    t.ok(same(cache.get('busy'), Buffer.alloc(80, i)));
  }
});

await t.test('what was read stays as it is, and what was deleted is gone', async (t) => {
  const cache = new ByteCache(10, 10);
  cache.set('a', Buffer.from('first'));
  const read = cache.get('a');
  cache.set('b', Buffer.from('0123456789'));
  t.equal(read?.toString(), 'first');
  cache.delete('b');
  t.equal(cache.get('b'), undefined);
});
