import t from 'tap';
import { cuts } from '../../../bench/live/cuts.js';
import { slow } from '../../../bench/live/slow.js';

/** The short form of `npm run bench:live`: its promises, on the compiled engine and a real Redis. Times are not judged here. */

const TOOLS = { seed: 1, nodeArgs: [], say: (): void => { /* Nothing to say. */ } };

await t.test('300 cuts over 20 clients: gap-free, duplicate-free, in order', { timeout: 200_000 }, async (t) => {
  const { broken, measured } = await cuts.run({ clients: 20, cuts: 300 }, TOOLS);
  t.same(broken, []);
  t.match(measured, { breaches: 0, resumes: { recovered: Number, lost: Number } });
});

await t.test('clients that stop reading are let go and come back to what they missed; readers stay', { timeout: 200_000 }, async (t) => {
  const { broken } = await slow.run({ readers: 20, stalled: 4, warmups: 0, rounds: 1, seconds: 1, lightBytes: 0, heavyBytes: 50_000 }, TOOLS);
  t.same(broken, []);
});
