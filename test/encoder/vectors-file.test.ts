import t from 'tap';
import { attributeKeys } from '../../src/encoder/attributes.js';
import { decodeVectors, encodeVectors, VECTOR_LIMITS, type LearnedVectors } from '../../src/encoder/vectors-file.js';
import { hash48 } from '../../src/util/hash.js';
import { gaussian, seededRandom } from '../../src/util/random.js';

function learned(items: number, attributes: number, dimensions: number, biased: boolean): LearnedVectors {
  const random = seededRandom(7);
  const noise = (length: number): Float32Array => Float32Array.from({ length }, () => gaussian(random));
  return {
    dimensions,
    items: Float64Array.from({ length: items }, (_, i) => hash48(`item-${i}`)),
    attributes: Uint32Array.from({ length: attributes }, (_, i) => 0xffff_ffff - i),
    itemVectors: noise(items * dimensions), attributeVectors: noise(attributes * dimensions),
    biases: biased ? noise(items) : undefined,
  };
}

await t.test('vectors come back as they were written, wherever the bytes lie', async (t) => {
  for (const [items, attributes, biased] of [[5, 3, true], [4, 0, false], [0, 0, true]] as const) {
    const written = learned(items, attributes, 6, biased);
    const bytes = encodeVectors(written);
    t.same(decodeVectors(bytes), written);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    t.same(decodeVectors(shifted.subarray(3)), written, 'from an odd place');
  }
});

await t.test('what does not fit is said', async (t) => {
  const bytes = encodeVectors(learned(5, 3, 6, false));
  t.throws(() => decodeVectors(bytes.subarray(0, 20)), /20 bytes, less than a head/);
  t.throws(() => decodeVectors(bytes.subarray(0, bytes.length - 4)), /\d+ bytes, where 5 items and 3 attributes of 6 dimensions take \d+/);
  t.throws(() => decodeVectors(Uint8Array.from(bytes, (byte, i) => (i === 4 ? 9 : byte))), /not of format 1/);
  t.throws(() => decodeVectors(Uint8Array.from(bytes, (byte, i) => (i === 10 ? 9 : byte))), /dimensions, not 1 to/);
  t.throws(() => decodeVectors(new Uint8Array(64)), /not of format 1/);
  t.throws(() => encodeVectors({ ...learned(5, 3, 6, false), biases: new Float32Array(4) }), /4 numbers of biases, not 5/);
  t.throws(() => encodeVectors({ ...learned(5, 3, 6, false), dimensions: 7 }), /30 numbers of item vectors, not 35/);
  t.throws(() => encodeVectors(learned(1, 0, VECTOR_LIMITS.dimensionsMax + 1, false)), /dimensions, not 1 to/);
});

await t.test('attributes are told apart by kind and level, and counted once', async (t) => {
  const one = attributeKeys({ category: ['shoes', 'running'], brand: 'shoes', tags: ['shoes', 'new', 'new'] });
  t.equal(one.length, 5);
  t.equal(new Set(one).size, 5);
  const other = attributeKeys({ category: ['shoes', 'walking'], tags: ['running'] });
  t.same(one.filter((key) => other.includes(key)), [one[0]], 'only the root category is shared');
});
