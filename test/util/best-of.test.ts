import fc from 'fast-check';
import t from 'tap';
import { bestOf } from '../../src/util/best-of.js';

await t.test('the best of any finite scores, in order, equal ones by index', async () => {
  const score = fc.oneof(fc.float({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: -3, max: 3 }));
  fc.assert(fc.property(fc.array(score, { maxLength: 1500 }), fc.nat(1600), (values, depth) => {
    const scores = Float32Array.from(values);
    const expected = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]! || a - b).slice(0, depth);
    return bestOf(scores, scores.length, depth).join() === expected.join();
  }));
});

await t.test('scores beyond the count are not looked at', async (t) => {
  t.same(bestOf(Float32Array.from([1, 3, 2, 9]), 3), [1, 2, 0]);
});
