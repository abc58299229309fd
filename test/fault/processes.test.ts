import t, { type Test } from 'tap';
import { startEngine, type Engine } from '../helpers/engine.js';
import { enginesUnder, isAlive } from '../helpers/processes.js';
import { until } from '../helpers/streams.js';
import { Traffic, putItems } from '../helpers/traffic.js';

/** Two api processes on one port: they answer as one, whichever of them is killed or replaced. */

const ENV = { API_PROCESSES: '2', REDIS_TIMEOUT_MS: '10000', LOG_LEVEL: 'info' };
const ITEMS = 40;

async function start(t: Test, role: 'api' | 'both'): Promise<Engine> {
  const engine = await startEngine({ role, env: ENV });
  t.teardown(() => engine.stop());
  await putItems(engine.url, ITEMS);
  return engine;
}

/** A sample of `/metrics`. */
async function metric({ url }: Engine, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'mu').exec(text)?.[1]);
}

await t.test('they count together, and are replaced under load without a failed request', { timeout: 150_000 }, async (t) => {
  const engine = await start(t, 'both');
  await until('the worker is there', async () => (await enginesUnder(engine.pid)).length === 3);
  const before = await enginesUnder(engine.pid);
  const traffic = new Traffic(engine.url, { readers: 8, writers: 4, items: ITEMS });
  await until('it is under load', () => traffic.events > 200);
  engine.proc.kill('SIGUSR2');
  await until('all have been replaced', () => /"msg":"restarted"/u.test(engine.output()));
  const asked = traffic.events;
  await until('the new ones serve', () => traffic.events > asked + 50);
  await traffic.stop();
  t.same(traffic.broken, [], 'no connection broke');
  t.same(traffic.ranked.filter(({ status }) => status !== 200), []);
  t.same([...traffic.eventStatuses.keys()], [200]);
  const after = await enginesUnder(engine.pid);
  t.equal(after.length, 3);
  t.same(after.filter((pid) => before.includes(pid)), [], 'api processes and worker are new ones');
  t.equal(await metric(engine, 'rivulet_api_processes'), 2);
  t.equal(await metric(engine, 'rivulet_catalog_items'), ITEMS);
  const [counted, again] = [await metric(engine, 'rivulet_events_accepted_total'), await metric(engine, 'rivulet_events_accepted_total')];
  t.ok(counted > 0);
  t.equal(counted, again, 'whichever process is asked');
  t.equal(await engine.kill('SIGTERM'), 0);
  t.same(after.filter(isAlive), [], 'nobody is left');
});

await t.test('one is killed: the other serves, and it is started again; killed, the primary takes all along', { timeout: 150_000 }, async (t) => {
  const engine = await start(t, 'api');
  const [victim = 0, survivor = 0] = await enginesUnder(engine.pid);
  process.kill(victim, 'SIGKILL');
  await until('it is dead', () => !isAlive(victim));
  const traffic = new Traffic(engine.url, { readers: 4, writers: 2, items: ITEMS });
  await until('there are two again', async () => await metric(engine, 'rivulet_api_processes') === 2);
  await traffic.stop();
  t.same(traffic.broken, [], 'nobody who came after the kill was handed to the dead');
  t.ok(traffic.events > 0);
  const pids = await enginesUnder(engine.pid);
  t.ok(pids.includes(survivor) && !pids.includes(victim));
  await engine.kill('SIGKILL');
  await until('its processes have ended by themselves', () => !pids.some(isAlive));
});
