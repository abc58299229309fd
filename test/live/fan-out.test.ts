import t from 'tap';
import type { Member } from '../../src/live/audience.js';
import { FanOut } from '../../src/live/fan-out.js';
import { breathe } from '../../src/util/pause.js';
import { until } from '../helpers/until.js';

const CHANNEL = { name: 'room:r', log: 'log', push: 'push' };

class Listener implements Member {
  readonly shopper = 'u:x';
  readonly heard: string[] = [];
  onHear: () => void = () => { /* nothing more */ };

  deliver(_channel: unknown, frame: Buffer): void {
    this.heard.push(frame.toString());
    this.onHear();
  }

  resync(): void { /* not of interest */ }
  touched(): void { /* not of interest */ }
  replaced(): void { /* not of interest */ }
}

function crowd(count: number): { fanOut: FanOut; listeners: Listener[]; send: (...frames: string[]) => void } {
  const fanOut = new FanOut(CHANNEL);
  const listeners = Array.from({ length: count }, () => new Listener());
  for (const listener of listeners) fanOut.add(listener);
  return { fanOut, listeners, send: (...frames) => { for (const frame of frames) fanOut.send(Buffer.from(frame), undefined); } };
}

await t.test('a few are told at once', (t) => {
  const { fanOut, listeners, send } = crowd(3);
  send('1', '2');
  t.same(listeners.map(({ heard }) => heard.join()), ['1,2', '1,2', '1,2']);
  t.same([fanOut.add(listeners[0]!), fanOut.remove(listeners[1]!), fanOut.remove(listeners[1]!)], [false, true, false]);
  t.same([fanOut.size, [...fanOut]], [2, [listeners[2], listeners[0]]]);
  t.end();
});

await t.test('many are told over some turns, each all and in order; who comes or goes meanwhile gets what is theirs', async (t) => {
  const { fanOut, listeners, send } = crowd(2000);
  const [last, gone, back, late] = [listeners.at(-1)!, listeners.at(-2)!, listeners.at(-3)!, new Listener()];
  send('1', '2');
  t.same([listeners[0]!.heard, last.heard], [['1'], []], 'not all at once');
  fanOut.remove(gone);
  fanOut.add(back);
  fanOut.add(late);
  // While the rest of 1 and 2 is under way.
  send('3');
  listeners[600]!.onHear = () => { fanOut.remove(listeners[601]!); };
  await until(() => late.heard.length === 1, 'the end');
  const others = listeners.filter((one) => one !== gone && one !== back && one !== listeners[601]);
  t.ok(others.every(({ heard }) => heard.join() === '1,2,3'));
  t.same([gone.heard, back.heard, late.heard, listeners[601]!.heard], [[], ['3'], ['3'], []]);
  send('4');
  fanOut.clear();
  await breathe();
  await breathe();
  t.same([listeners[0]!.heard.at(-1), last.heard.at(-1)], ['4', '3'], 'what is forgotten is not sent on');
  send('5');
  await until(() => last.heard.at(-1) === '5', 'the next one');
});

await t.test('more than may be under way is told without waiting', async (t) => {
  const { listeners, send } = crowd(600);
  const frames = Array.from({ length: 100 }, (_, n) => String(n));
  send(...frames);
  t.ok(listeners.at(-1)!.heard.length > 50);
  await until(() => listeners.at(-1)!.heard.length === 100, 'all');
  t.ok(listeners.every(({ heard }) => heard.join() === frames.join()));
});
