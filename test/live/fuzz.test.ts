import t from 'tap';
import { fuzz } from '../../bench/live/fuzz.js';

/** The short form of `npm run bench:live -- fuzz`, which sends a million. */
const SIZE = { frames: 8_000, clients: 16, canaries: 2 };

await t.test('frames that clients should not send: no crash, no fault, nothing of another shopper', async (t) => {
  const { broken, measured } = await fuzz.run(SIZE, { seed: 7, say: () => { /* quietly */ }, nodeArgs: [] });
  t.same(broken, []);
  t.ok((measured as { frames: number }).frames >= SIZE.frames);
});
