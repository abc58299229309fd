import t from 'tap';
import { Continuity, type Subscribed } from '../../bench/live/continuity.js';
import type { ChannelAddress, Position } from '../../src/domain/channel.js';
import type { Room } from '../../src/domain/room.js';
import { LOG_LIMITS, roomChannel, shopperChannel } from '../../src/redis/channel-log.js';
import { seededRandom } from '../../src/util/random.js';
import { LiveClient, type Frame } from '../helpers/live-client.js';
import { KEYS, startLive } from '../helpers/live.js';
import { startRedis } from '../helpers/redis.js';
import { until } from '../helpers/until.js';

const SEED = Number(process.env['SEED'] ?? 5);
const STEPS = 400;
const CLIENTS = 10;
const ROOM: Room = { id: 'stage', title: 'Stage', host: { id: 'h', name: 'Host' }, category: ['live'], products: [], access: 'public', status: 'live', version: 1, createdAt: 1 };

const redis = await startRedis({ appendOnly: true });
const servers = await Promise.all([startLive(redis.url), startLive(redis.url)]);
const [server] = servers;
t.teardown(async () => {
  await Promise.all(servers.map((one) => one.close()));
  await redis.stop();
});
await server.rooms.write(ROOM, Date.now());

const stage = roomChannel(KEYS, ROOM.id);
/** What a channel ought to hold: the frame at each place of the epoch that there is now. */
const model = new Map<string, { head: Position; at: Map<string, number> }>();
let published = 0;

async function publish(channel: ChannelAddress): Promise<void> {
  const n = ++published;
  const head = await server.log.publish(channel, 'note', { n });
  const known = model.get(channel.name) ?? { head, at: new Map() };
  if (Number(head.epoch) > Number(known.head.epoch) || head.offset > known.head.offset) known.head = head;
  known.at.set(placeOf(head), n);
  model.set(channel.name, known);
}
const placeOf = ({ epoch, offset }: { epoch?: string; offset?: number }): string => `${epoch}-${offset}`;

/** A client that comes and goes, and goes on where it stood. */
class Viewer {
  readonly userId: string;
  readonly own: ChannelAddress;
  readonly channels = new Map<string, Continuity>();
  readonly breaches: string[] = [];
  #client: LiveClient | undefined;

  constructor(index: number) {
    this.userId = `v${index}`;
    this.own = shopperChannel(KEYS, `u:${this.userId}`);
    for (const { name } of [this.own, stage]) this.channels.set(name, new Continuity());
  }

  get isThere(): boolean {
    return this.#client !== undefined;
  }

  come(url: string): void {
    const client = new LiveClient(url);
    this.#client = client;
    client.socket.on('message', (data: Buffer) => {
      if (client === this.#client) this.#receive(JSON.parse(data.toString()) as Frame);
    });
    client.socket.once('close', () => { if (client === this.#client) this.leave(); });
    client.socket.once('open', () => {
      client.send({ type: 'auth', userId: this.userId });
      for (const [channel, continuity] of this.channels) {
        continuity.asked();
        client.send({ type: 'subscribe', channel, ...continuity.position });
      }
    });
  }

  leave(): void {
    const client = this.#client;
    this.#client = undefined;
    for (const continuity of this.channels.values()) continuity.left(performance.now());
    client?.socket.terminate();
  }

  isAt(head: (channel: string) => Position | undefined): boolean {
    return [...this.channels].every(([name, { position, isSubscribed }]) => {
      const wanted = head(name);
      return isSubscribed && (wanted === undefined || (position !== undefined && placeOf(position) === placeOf(wanted)));
    });
  }

  #receive(frame: Frame): void {
    const continuity = this.channels.get(frame.channel ?? '');
    // A state frame has no place of its own.
    if (continuity === undefined || frame.type === 'stats') return;
    const breach = frame.type === 'subscribed' ? continuity.subscribed(frame as Subscribed, performance.now()) : continuity.frame(frame as Position);
    if (breach !== undefined) this.breaches.push(`${this.userId} on ${frame.channel}: ${breach.rule}, ${breach.what}`);
    const wanted = model.get(frame.channel!)?.at.get(placeOf(frame));
    if (frame.type === 'note' && wanted !== undefined && wanted !== frame.n) this.breaches.push(`${this.userId} on ${frame.channel}: at ${placeOf(frame)} ${frame.n}, not ${wanted}`);
  }
}

const random = seededRandom(SEED);
const viewers = Array.from({ length: CLIENTS }, (_, index) => new Viewer(index));
const one = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
const times = (max: number): number => Math.ceil(random() * max);
const heads = (channel: string): Position | undefined => model.get(channel)?.head;
const breaches = (): string[] => viewers.flatMap((viewer) => viewer.breaches);

async function calm(): Promise<void> {
  for (const viewer of viewers) if (!viewer.isThere) viewer.come(one(servers).url);
  await until(() => viewers.every((viewer) => {
    if (!viewer.isThere) viewer.come(one(servers).url);
    return viewer.isAt(heads);
  }), 'everybody to be up to date');
}

await t.test(`random cuts, publications and restarts (SEED=${SEED}): nothing missing, nothing twice, in order`, async (t) => {
  const acts: [weight: number, act: () => Promise<unknown> | void][] = [
    [40, () => Promise.all(Array.from({ length: times(8) }, () => publish(stage)))],
    [20, () => publish(one(viewers).own)],
    // At any time, and more often when it has heard something.
    [10, () => { one(viewers).leave(); }],
    [15, async () => {
      const viewer = one(viewers);
      await until(() => !viewer.isThere || viewer.isAt(() => undefined), 'its subscriptions');
      viewer.leave();
    }],
    [20, () => { const viewer = one(viewers); if (!viewer.isThere) viewer.come(one(servers).url); }],
    [10, () => new Promise((resolve) => { setTimeout(resolve, random() * 20); })],
    [2, () => server.redis.call('CLIENT', 'KILL', 'TYPE', 'PUBSUB')],
  ];
  const sum = acts.reduce((total, [weight]) => total + weight, 0);
  for (let step = 0; step < STEPS; step++) {
    let left = random() * sum;
    await acts.find(([weight]) => (left -= weight) < 0)![1]();
    if (step !== STEPS / 2) continue;
    await redis.restart();
    await until(() => servers.every(({ redis: { status } }) => status === 'ready'), 'Redis');
  }
  await calm();
  t.same(breaches(), []);
  const resumed = viewers.flatMap((viewer) => [...viewer.channels.values()]).reduce((total, { recovered }) => total + recovered, 0);
  t.ok(resumed > CLIENTS, `${resumed} resumed`);
});

await t.test('who was away for longer than the log goes back is told so, and what things have come to', async (t) => {
  const [away] = viewers;
  away!.leave();
  const { position: before, lost: lostBefore } = away!.channels.get(stage.name)!;
  for (let i = 0; i <= LOG_LIMITS.framesMax / 10; i++) await Promise.all(Array.from({ length: 10 }, () => publish(stage)));
  const client = await LiveClient.open(server.url, { userId: 'asks' });
  const head = heads(stage.name)!;
  t.match(await client.listen({ channel: stage.name, after: before! }), { type: 'subscribed', recovered: false, ...head, state: { room: { id: 'stage' }, cues: [] } });
  t.match(await client.listen({ channel: stage.name, after: { ...head, offset: head.offset - 300 } }), { recovered: true, offset: head.offset - 300, state: undefined });
  t.equal((await client.during(50, 'note')).length, 300, 'all that is promised');
  t.match(await client.listen({ channel: stage.name, after: { ...head, offset: head.offset + 1 } }), { recovered: false, ...head }, 'a place that is yet to come');
  t.match(await client.listen({ channel: stage.name, after: { epoch: '1', offset: 1 } }), { recovered: false, ...head });
  t.match(await client.listen({ after: { epoch: '1', offset: 1 } }), { recovered: false, state: { offers: [] } });
  await client.close();
  await calm();
  t.same(breaches(), []);
  t.equal(away!.channels.get(stage.name)!.lost, lostBefore + 1);
});

await t.test('when Redis has lost everything, all are told and go on', async (t) => {
  const lostBefore = viewers.map(({ channels }) => channels.get(stage.name)!.lost);
  await server.redis.flushall();
  await server.rooms.write(ROOM, Date.now());
  model.clear();
  await Promise.all([publish(stage), ...viewers.map(({ own }) => publish(own))]);
  for (let i = 0; i < 5; i++) await publish(stage);
  await calm();
  t.same(breaches(), []);
  t.same(viewers.map(({ channels }) => channels.get(stage.name)!.lost), lostBefore.map((count) => count + 1));
});

t.teardown(() => { for (const viewer of viewers) viewer.leave(); });
const isAway = (fault: unknown): boolean => fault instanceof Error && /Stream isn't writeable|Connection is closed/u.test(fault.message);
t.same(servers.flatMap(({ faults }) => faults.filter((fault) => !isAway(fault))), [], 'nothing unexpected happened');
