import fc from 'fast-check';
import t from 'tap';
import { BucketCounts, SKETCH_ERROR, bucketOf, valueOf } from '../../src/util/quantile-sketch.js';

const amounts = fc.array(fc.oneof(fc.nat(20), fc.nat(100_000), fc.maxSafeNat()), { minLength: 1, maxLength: 300 });
const sketchOf = (values: readonly number[]): BucketCounts => new BucketCounts(values.map((value) => [bucketOf(value), 1] as const));
const sorted = (sketch: BucketCounts): [number, number][] => sketch.entries().toSorted((a, b) => a[0] - b[0]);

await t.test('a value is read back from its bucket within the relative error, 0 exactly', async (t) => {
  fc.assert(fc.property(fc.oneof(fc.nat(1000), fc.maxSafeNat()), (value) => {
    const back = valueOf(bucketOf(value));
    return value === 0 ? back === 0 : Math.abs(back - value) <= SKETCH_ERROR * value * (1 + 1e-9);
  }), { numRuns: 2000 });
  t.ok(bucketOf(Number.MAX_SAFE_INTEGER) < 2000, 'and there are few buckets');
});

await t.test('every quantile is within the relative error of the exact one', async (t) => {
  fc.assert(fc.property(amounts, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
    const exact = values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))]!;
    const estimate = valueOf(sketchOf(values).quantile(q)!);
    return Math.abs(estimate - exact) <= SKETCH_ERROR * exact * (1 + 1e-9);
  }), { numRuns: 1000 });
  t.equal(new BucketCounts().quantile(0.5), undefined);
});

await t.test('merging sketches is sketching all values; taking values out leaves the others', async (t) => {
  fc.assert(fc.property(amounts, amounts, (some, others) => {
    const merged = sketchOf(some);
    merged.merge(sketchOf(others));
    t.same(sorted(merged), sorted(sketchOf([...others, ...some])));
    for (const value of others) merged.add(bucketOf(value), -1);
    t.same(sorted(merged), sorted(sketchOf(some)));
    t.equal(merged.total, some.length);
  }), { numRuns: 50 });
});

await t.test('a rank is the share below and half of the equals, whatever comes between two questions', async (t) => {
  fc.assert(fc.property(fc.array(fc.nat(30), { minLength: 1, maxLength: 100 }), fc.nat(31), fc.nat(30), (buckets, asked, added) => {
    const counts = new BucketCounts();
    for (const bucket of buckets) counts.add(bucket);
    const rank = (all: readonly number[]): number => (all.filter((b) => b < asked).length + all.filter((b) => b === asked).length / 2) / all.length;
    t.ok(Math.abs(counts.midRank(asked) - rank(buckets)) < 1e-12);
    counts.add(added);
    t.ok(Math.abs(counts.midRank(asked) - rank([...buckets, added])) < 1e-12);
  }), { numRuns: 100 });
});
