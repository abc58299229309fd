import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { WebSocketServer, type WebSocket } from 'ws';
import { RawSocket } from '../../../bench/live/raw-socket.js';
import { Swarm } from '../../../bench/live/swarm.js';
import { seededRandom } from '../../../src/util/random.js';
import { until } from '../../helpers/until.js';

/** The load's own client against a server that others wrote. */

const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
await once(server, 'listening');
t.teardown(() => { server.close(); });
const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };

async function open(): Promise<{ client: RawSocket; peer: WebSocket; frames: string[]; closed: [number, string][] }> {
  const frames: string[] = [];
  const closed: [number, string][] = [];
  const peer = once(server, 'connection');
  const client = await new Promise<RawSocket>((resolve) => {
    const socket: RawSocket = new RawSocket({
      address, onOpen: () => { resolve(socket); }, onFrame: (frame) => { frames.push(frame.toString()); }, onClosed: (code, reason) => { closed.push([code, reason]); },
    });
  });
  return { client, peer: (await peer as [WebSocket])[0], frames, closed };
}

await t.test('frames of all lengths arrive whole and in order, both ways', async (t) => {
  const { client, peer, frames, closed } = await open();
  const texts = [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000].map((length) => String(length % 10).repeat(length));
  const heard: string[] = [];
  peer.on('message', (data: Buffer) => { heard.push(data.toString()); });
  for (const text of [...texts, 'über', ...texts]) peer.send(text);
  await until(() => frames.length === 2 * texts.length + 1, 'all frames');
  t.ok([...texts, 'über', ...texts].every((text, index) => frames[index] === text));
  const own = texts.filter(({ length }) => length < 65_536);
  for (const text of own) client.send(text);
  await until(() => heard.length === own.length, 'what the client sent');
  t.ok(own.every((text, index) => heard[index] === text));
  peer.ping('are you there');
  const [answer] = await once(peer, 'pong') as [Buffer];
  t.equal(answer.toString(), 'are you there');
  peer.close(4503, '{"code":"slow_consumer"}');
  await until(() => closed.length === 1, 'the close');
  t.same(closed, [[4503, '{"code":"slow_consumer"}']]);
});

await t.test('a stalled client takes no more than the system holds, and goes on where it was', async (t) => {
  const { client, peer, frames } = await open();
  client.stall();
  const text = 'x'.repeat(1_000_000);
  for (let i = 0; i < 40; i++) peer.send(text);
  await new Promise((resolve) => { setTimeout(resolve, 200); });
  t.equal(frames.length, 0);
  t.ok(peer.bufferedAmount > 0, `${peer.bufferedAmount} bytes wait`);
  client.resume();
  await until(() => frames.length === 40, 'the rest');
  client.destroy();
});

await t.test('what ends a socket is seen: its own reset, nonsense, a server that is not there', async (t) => {
  const first = await open();
  first.client.reset();
  await until(() => first.closed.length === 1, 'the close');
  const second = await open();
  second.peer.on('error', () => { /* as it should */ });
  second.client.sendNonsense();
  await until(() => second.closed.length === 1, 'the close');
  t.equal(second.closed[0]?.[0], 1002);
  const third: number[] = [];
  const nowhere = new RawSocket({ address: { host: '127.0.0.1', port: 1 }, onOpen: () => { t.fail(); }, onFrame: () => { t.fail(); }, onClosed: (code) => { third.push(code); } });
  await until(() => third.length === 1, 'the close');
  t.same(third, [1006]);
  nowhere.destroy();
});

await t.test('a swarm resumes where it stood, comes back by the close code, and finds what was left out', async (t) => {
  const asked: unknown[] = [];
  let connections = 0;
  server.on('connection', (peer: WebSocket) => {
    const turn = ++connections;
    peer.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { type: string; channel: string };
      if (frame.type === 'auth') return;
      asked.push(frame);
      peer.send(JSON.stringify({ type: 'subscribed', channel: frame.channel, epoch: 'e', offset: turn === 1 ? 0 : 1, ...turn === 1 ? {} : { recovered: true } }));
      for (const offset of turn === 1 ? [1] : [3]) peer.send(`{"type":"offer","channel":"${frame.channel}","epoch":"e","offset":${offset}}`);
      if (turn < 3) peer.close(turn === 1 ? 1012 : 4403, '{"code":"x","retryAfterMs":20}');
    });
  });
  const swarm = new Swarm({ viewers: 1, addresses: [address], userIdOf: () => 'ann', channelsOf: () => ['user:ann'], random: seededRandom(1) });
  await swarm.open(10_000);
  await until(() => swarm.closes.has(4403), 'the second close');
  await new Promise((resolve) => { setTimeout(resolve, 100); });
  swarm.end();
  t.equal(connections, 2, 'a code that says stay away is obeyed');
  t.same(asked, [{ type: 'subscribe', channel: 'user:ann' }, { type: 'subscribe', channel: 'user:ann', epoch: 'e', offset: 1 }]);
  t.same(swarm.breaches, [{ viewer: 'ann', channel: 'user:ann', rule: 'gap', what: 'e-3 after e-1' }]);
  t.same(swarm.resumes, { recovered: 1, lost: 0 });
});
