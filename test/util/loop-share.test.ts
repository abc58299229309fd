import t from 'tap';
import { loopShare } from '../../src/util/loop-share.js';

/** Uses the processor, as a task does. */
function work(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end) { /* busy */ }
}

await t.test('a heap of tasks lets the event loop turn', async (t) => {
  const order: string[] = [];
  const task = async (name: string): Promise<void> => {
    for (let turn = loopShare(); turn !== undefined; turn = loopShare()) await turn;
    work(5);
    order.push(name);
  };
  setImmediate(() => { order.push('loop'); });
  await Promise.all(Array.from({ length: 12 }, (_, i) => task(String(i))));
  t.ok(order.indexOf('loop') <= 2, `not behind all of them: ${order.join(' ')}`);
  t.same(order.filter((name) => name !== 'loop'), Array.from({ length: 12 }, (_, i) => String(i)), 'in order');
});

await t.test('work that is soon done goes on at once', async (t) => {
  await new Promise(setImmediate);
  t.equal(loopShare(), undefined);
});
