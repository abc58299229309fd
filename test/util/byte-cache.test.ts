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
  const cache = new ByteCache(100, 100);
  for (let i = 0; i < 10; i++) cache.set(`k${i}`, Buffer.alloc(10, i));
  for (let i = 0; i < 10; i++) t.ok(same(cache.get(`k${i}`), Buffer.alloc(10, i)));
  cache.set('one more', Buffer.alloc(1));
  t.equal(cache.get('k0'), undefined, 'it took the place of the oldest');
  t.ok(cache.get('k1'));
  cache.set('k1', Buffer.alloc(101));
  t.equal(cache.get('k1'), undefined, 'longer than the memory');
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
