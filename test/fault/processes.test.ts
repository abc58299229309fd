import t, { type Test } from 'tap';
import { startEngine, type Engine } from '../helpers/engine.js';
import { enginesUnder, isAlive } from '../helpers/processes.js';
import { until } from '../helpers/streams.js';
import { Traffic, putItems } from '../helpers/traffic.js';

/** Two api processes on one port: they answer as one, whichever of them is killed or replaced. */

const ENV = { API_PROCESSES: '2', REDIS_TIMEOUT_MS: '10000', LOG_LEVEL: 'info' };
const ITEMS = 40;
/** No bar: it ends a wait for what will never be. */
const RESTART_MS_MAX = 100_000;

async function start(t: Test, role: 'api' | 'both'): Promise<Engine> {
  const engine = await startEngine({ role, env: ENV });
  t.teardown(() => engine.stop());
  await putItems(engine.url, ITEMS);
  return engine;
}

const metrics = async ({ url }: Engine): Promise<string> => (await fetch(`${url}/metrics`)).text();
const valueOf = (text: string, name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'mu').exec(text)?.[1]);

await t.test('they count together, and are replaced under load without a failed request', { timeout: 150_000 }, async (t) => {
  const engine = await start(t, 'both');
  await until('the worker is there', async () => (await enginesUnder(engine.pid)).length === 3);
  const before = await enginesUnder(engine.pid);
  const traffic = new Traffic(engine.url, { readers: 4, writers: 2, items: ITEMS });
  t.teardown(() => traffic.stop());
  await until('it is under load', () => traffic.events > 100);
  engine.proc.kill('SIGUSR2');
  await until('all have been replaced', () => /"msg":"restarted"/u.test(engine.output()), RESTART_MS_MAX);
  const asked = traffic.events;
  await until('the new ones serve', () => traffic.events > asked + 50);
  await traffic.stop();
  t.same(traffic.broken, [], 'no connection broke');
  t.same(traffic.ranked.filter(({ status }) => status !== 200), []);
  t.same([...traffic.eventStatuses.keys()], [200]);
  const after = await enginesUnder(engine.pid);
  t.equal(after.length, 3);
  t.same(after.filter((pid) => before.includes(pid)), [], 'api processes and worker are new ones');
  const told = await Promise.all(Array.from({ length: 4 }, () => metrics(engine)));
  const counted = told.map((text) => valueOf(text, 'rivulet_events_accepted_total'));
  t.ok(counted[0]! > 0);
  t.same(counted, counted.map(() => counted[0]), 'whichever process is asked');
  t.equal(valueOf(told[0]!, 'rivulet_api_processes'), 2);
  t.equal(valueOf(told[0]!, 'rivulet_catalog_items'), ITEMS);
  t.match(told[0], /^rivulet_stream_handled\{consumer="archive"\} \d+$/mu, 'the worker is among them');
  t.equal(await engine.kill('SIGTERM'), 0);
  t.same(after.filter(isAlive), [], 'nobody is left');
});

await t.test('one is killed: the other serves, and it is started again; killed, the primary takes all along', { timeout: 150_000 }, async (t) => {
  const engine = await start(t, 'api');
  const [victim = 0, survivor = 0] = await enginesUnder(engine.pid);
  process.kill(victim, 'SIGKILL');
  await until('it is dead', () => !isAlive(victim));
  const traffic = new Traffic(engine.url, { readers: 2, writers: 2, items: ITEMS });
  t.teardown(() => traffic.stop());
  await until('there are two again', async () => valueOf(await metrics(engine), 'rivulet_api_processes') === 2);
  await traffic.stop();
  t.same(traffic.broken, [], 'nobody who came after the kill was handed to the dead');
  t.ok(traffic.events > 0);
  const pids = await enginesUnder(engine.pid);
  t.ok(pids.includes(survivor) && !pids.includes(victim));
  await engine.kill('SIGKILL');
  await until('its processes have ended by themselves', () => !pids.some(isAlive));
});
