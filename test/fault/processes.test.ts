import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { Audience } from '../../bench/live/audience.js';
import { startEngine, type Engine } from '../helpers/engine.js';
import { enginesUnder, isAlive } from '../helpers/processes.js';
import { until } from '../helpers/streams.js';
import { Traffic, putItems } from '../helpers/traffic.js';

/**
 * Two api processes on one port: they answer as one, whichever of them is killed or replaced. The short form of
 * `npm run bench:live -- kill rolling`, with requests over HTTP beside the viewers of a room.
 */

const SIZE = { viewers: 100, apis: 2, items: 40, histories: 40, letterRate: 50 };
const TOOLS = { seed: 1, nodeArgs: [], say: (): void => { /* Nothing to say. */ } };
/** Items that requests over HTTP are about. */
const ITEMS = 40;
/** No bar: it ends a wait for what will never be. */
const RESTART_MS_MAX = 100_000;

async function gather(t: Test, hasWorker: boolean): Promise<Audience> {
  const audience = await Audience.gather({ ...SIZE, hasWorker }, TOOLS);
  t.teardown(() => audience.end());
  return audience;
}

function trafficTo(t: Test, { url }: Engine): Traffic {
  const traffic = new Traffic(url, { readers: 3, writers: 2, items: ITEMS });
  t.teardown(() => traffic.stop());
  return traffic;
}

const metrics = async ({ url }: Engine): Promise<string> => (await fetch(`${url}/metrics`)).text();
const valueOf = (text: string, name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'mu').exec(text)?.[1]);

await t.test('all are replaced under load: no request fails, no viewer misses anything; they count together', { timeout: 200_000 }, async (t) => {
  const audience = await gather(t, true);
  const { engine } = audience.fleet;
  await putItems(engine.url, ITEMS);
  await until('the worker is there', async () => (await enginesUnder(engine.pid)).length === 3);
  const before = await enginesUnder(engine.pid);
  const ladder = await audience.prepareLadder('ladder');
  const traffic = trafficTo(t, engine);
  await until('it is under load', () => traffic.events > 50);
  engine.proc.kill('SIGUSR2');
  await audience.playLadder(ladder);
  await until('all have been replaced', () => /"msg":"restarted"/u.test(engine.output()), RESTART_MS_MAX);
  const asked = traffic.events;
  await until('the new ones serve', () => traffic.events > asked + 20);
  await traffic.stop();
  t.same((await audience.settle([ladder])).broken, []);
  t.ok(audience.absences.length >= SIZE.viewers, 'everybody was told to come back');
  t.same(audience.absences.filter(({ code }) => code !== 1012), []);
  t.same(traffic.broken, [], 'no connection broke');
  t.same(traffic.ranked.filter(({ status }) => status !== 200), []);
  t.same([...traffic.eventStatuses.keys()], [200]);
  const after = await enginesUnder(engine.pid);
  t.equal(after.length, 3);
  t.same(after.filter((pid) => before.includes(pid)), [], 'api processes and worker are new ones');
  const told = await Promise.all(Array.from({ length: 4 }, () => metrics(engine)));
  const replies = told.map((text) => valueOf(text, 'rivulet_recommendation_seconds_count'));
  t.ok(replies[0]! > 0);
  t.same(replies, replies.map(() => replies[0]), 'whichever process is asked');
  t.equal(valueOf(told[0]!, 'rivulet_api_processes'), SIZE.apis);
  t.equal(valueOf(told[0]!, 'rivulet_sockets'), SIZE.viewers);
  t.match(told[0], /^rivulet_stream_handled\{consumer="archive"\} \d+$/mu, 'the worker is among them');
  audience.swarm.end();
  t.equal(await engine.kill('SIGTERM'), 0);
  t.same(after.filter(isAlive), [], 'nobody is left');
});

await t.test('one is killed while a ladder is played: its viewers are served by the other; the primary killed, all end', { timeout: 200_000 }, async (t) => {
  const audience = await gather(t, false);
  const { engine } = audience.fleet;
  await putItems(engine.url, ITEMS);
  const ladder = await audience.prepareLadder('ladder');
  const [victim = 0, survivor = 0] = await enginesUnder(engine.pid);
  await audience.playLadder(ladder, 1);
  process.kill(victim, 'SIGKILL');
  await until('it is dead', () => !isAlive(victim));
  // Connections to it that this process keeps, and does not know the end of, are used up.
  await Promise.allSettled(Array.from({ length: 16 }, async () => (await fetch(`${engine.url}/health/live`)).text()));
  const traffic = trafficTo(t, engine);
  await until('there are two again', async () => await audience.readyProcesses() === SIZE.apis);
  await traffic.stop();
  t.same((await audience.settle([ladder])).broken, []);
  t.ok(audience.absences.length > 0, 'somebody was cut off');
  t.same(traffic.broken, [], 'nobody who came after the kill was handed to the dead');
  t.ok(traffic.events > 0);
  const pids = await enginesUnder(engine.pid);
  t.ok(pids.includes(survivor) && !pids.includes(victim));
  audience.swarm.end();
  await engine.kill('SIGKILL');
  await until('its processes have ended by themselves', () => !pids.some(isAlive));
});

await t.test('as many as come at once, when another process has died, wait for a busy one: none is turned away by the system', { timeout: 100_000 }, async (t) => {
  const engine = await startEngine();
  t.teardown(() => engine.stop());
  const { hostname, port } = new URL(engine.url);
  const most = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  await engine.kill('SIGSTOP');
  let connected = 0;
  const sockets = Array.from({ length: Math.min(1500, most) }, () => connect({ host: hostname, port: Number(port) }, () => { connected += 1; }).on('error', () => { /* counted by what is missing */ }));
  await until('all wait in the line', () => connected === sockets.length).catch(() => { /* said below */ });
  await engine.kill('SIGCONT');
  for (const socket of sockets) socket.destroy();
  t.equal(connected, sockets.length);
});
