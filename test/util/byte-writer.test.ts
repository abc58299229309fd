import fc from 'fast-check';
import t from 'tap';
import { ByteWriter } from '../../src/util/byte-writer.js';

await t.test('texts of any Unicode come out as UTF-8, one after another', (t) => {
  const out = new ByteWriter();
  fc.assert(fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 9000 }), { maxLength: 4 }), (texts) => {
    for (const text of texts) out.text(text);
    return out.take().equals(Buffer.from(texts.map((text) => Buffer.from(text).toString()).join('')));
  }));
  t.equal(out.length, 0);
  t.end();
});

await t.test('decimals are numbers of JSON, right to four places', (t) => {
  const out = new ByteWriter();
  const read = (value: number): unknown => {
    out.decimal(value);
    return JSON.parse(out.take().toString());
  };
  fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -2e5, max: 2e5 }), (value) => Math.abs(Number(read(value)) - value) <= 0.5001e-4));
  t.strictSame([0, -0, 1, -1.5, 0.00004, 0.12345, 1e9, -1e300].map(read), [0, 0, 1, -1.5, 0, 0.1235, 1e9, -1e300]);
  t.strictSame([Number.NaN, Infinity].map(read), [null, null]);
  t.end();
});

await t.test('whole numbers, and a copy that later writing leaves alone', (t) => {
  const out = new ByteWriter();
  for (const value of [0, 9, 10, 1234, -7]) out.whole(value);
  const taken = out.take();
  out.text('xxxxxxxx');
  t.equal(taken.toString(), '09101234-7');
  t.end();
});
