import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { JobRegistry } from '../../src/jobs/registry.js';
import { startRedis } from '../helpers/redis.js';
import { commandsTo, keys, listenTo, silent, until } from '../helpers/streams.js';

const server = await startRedis({ appendOnly: true });
t.teardown(() => server.stop());
const redis = await commandsTo(server.url);
t.teardown(() => { redis.disconnect(); });

function registry(): JobRegistry {
  const made = new JobRegistry({ connect: listenTo(server.url), keys, log: silent, stalledEveryMs: 500 });
  t.teardown(() => made.stop());
  return made;
}

await t.test('with two workers each job runs once; one name, one job', async (t) => {
  const [one, two] = [registry(), registry()];
  const ran: string[] = [];
  const by = new Set<string>();
  const processorOf = (worker: string) => async (data: unknown): Promise<void> => {
    by.add(worker);
    await new Promise((done) => { setTimeout(done, 5); });
    ran.push((data as { id: string }).id);
  };
  one.start({ work: processorOf('one') });
  two.start({ work: processorOf('two') });
  await Promise.all(Array.from({ length: 100 }, (_, i) => one.add('work', { id: `${i}` })));
  await two.add('work', { id: 'named' }, { jobId: 'cart:1 你好' });
  await one.add('work', { id: 'again' }, { jobId: 'cart:1 你好' });
  await until('all have run', () => ran.length >= 101);
  await new Promise((done) => { setTimeout(done, 200); });
  t.equal(ran.length, 101);
  t.equal(new Set(ran).size, 101);
  t.notOk(ran.includes('again'));
  t.equal(by.size, 2);
  await Promise.all([one.stop(), two.stop()]);
});

await t.test('a job waits for its time, and is tried again when it fails', async (t) => {
  const jobs = registry();
  const ran: string[] = [];
  let failures = 0;
  jobs.start({
    later: async (data) => { ran.push(String(data)); },
    shaky: async () => {
      if (failures++ === 0) throw new Error('first time');
      ran.push('shaky');
    },
  });
  const addedAt = performance.now();
  await jobs.add('later', 'in time', { delayMs: 400, jobId: 'a' });
  await jobs.add('shaky', {});
  await until('it ran', () => ran.includes('in time'));
  t.ok(performance.now() - addedAt >= 390);
  await until('the shaky one ran', () => ran.includes('shaky'));
  t.equal(jobs.counts.failed, 1);
  await jobs.stop();
});

await t.test('of an erased shopper no job is left, neither one that waits nor one that is remembered', async (t) => {
  const jobs = registry();
  let ran = 0;
  jobs.start({ step: async () => { ran += 1; }, broken: async () => { throw new Error('always'); } });
  const names = ['u:a*n 你', 'u:a-n 你', 'u:u:a*n 你'];
  for (const shopper of names) {
    await jobs.add('step', { shopper }, { jobId: `now ${shopper}` });
    await jobs.add('broken', { shopper }, { jobId: `broken ${shopper}`, attempts: 1 });
    await jobs.add('step', { shopper }, { jobId: `later ${shopper} 7`, delayMs: 3_600_000 });
  }
  await until('all have run', () => ran === 3 && jobs.counts.failed === 3);
  await jobs.forget(names[0]!);
  await jobs.forget('u:nobody');
  const left = async (shopper: string): Promise<string[]> => (await redis.keys('*')).filter((key) => key.endsWith(`%20${encodeURIComponent(shopper)}`) || key.endsWith(`%20${encodeURIComponent(shopper)}%207`));
  t.same(await left(names[0]!), []);
  t.same(await Promise.all(names.slice(1).map(async (name) => (await left(name)).length)), [3, 3], 'others keep theirs');
  const told = await redis.keys('*:events');
  t.equal((await Promise.all(told.map((key) => redis.xrange(key, '-', '+')))).flat(2).join().includes(encodeURIComponent(names[0]!)), false);
  await jobs.stop();
});

await t.test('one leader schedules; when it goes another does, and an emptied Redis is filled again', async (t) => {
  const [one, two] = [registry(), registry()];
  let ticks = 0;
  const processors = { tick: async (): Promise<void> => { ticks += 1; } };
  one.start(processors);
  two.start(processors);
  const everyMs = 300;
  one.lead([{ name: 'tick', everyMs }], 'one', redis);
  two.lead([{ name: 'tick', everyMs }], 'two', redis);
  await until('it ticks', () => ticks >= 2);
  const [from, startedAt] = [ticks, performance.now()];
  await until('it goes on ticking', () => ticks >= from + 5);
  const tookMs = performance.now() - startedAt;
  t.ok(ticks - from <= tookMs / everyMs + 1, `${ticks - from} ticks in ${tookMs.toFixed(0)} ms`);
  t.equal(await redis.get(keys.lock('scheduler')), 'one');
  await one.stop();
  const left = ticks;
  await until('it goes on', () => ticks > left);
  await two.stop();
});

await t.test('a job whose worker died over it is done by another', async (t) => {
  const jobs = registry();
  const child = fork(fileURLToPath(new URL('../helpers/job-child.js', import.meta.url)), [server.url], { execArgv: [] });
  t.teardown(() => child.kill('SIGKILL'));
  await jobs.add('work', { id: 'orphan' });
  await once(child, 'message');
  child.kill('SIGKILL');
  const ran: unknown[] = [];
  jobs.start({ work: async (data) => { ran.push(data); } });
  await until('it is resumed', () => ran.length === 1, 20_000);
  t.same(ran, [{ id: 'orphan' }]);
  await jobs.stop();
});

await t.test('an outage of Redis: adding fails in time, what was added runs afterwards, and once', async (t) => {
  const jobs = registry();
  const ran: string[] = [];
  jobs.start({ work: async (data) => { ran.push(String(data)); } });
  await jobs.add('work', 'before');
  await until('it runs', () => ran.includes('before'));
  await jobs.add('work', 'delayed', { delayMs: 1500 });
  await new Promise((done) => { setTimeout(done, 1100); }); // appendfsync everysec
  await server.kill('SIGKILL');
  await t.rejects(jobs.add('work', 'unknown', { jobId: 'x' }), { code: 'store_unavailable' });
  await server.restart();
  await until('the delayed one runs', () => ran.includes('delayed'), 30_000);
  await jobs.add('work', 'unknown', { jobId: 'x' });
  await until('the unknown one runs', () => ran.includes('unknown'));
  await jobs.add('work', 'after');
  await until('a new one runs', () => ran.includes('after'));
  t.same(ran.toSorted(), ['after', 'before', 'delayed', 'unknown']);
  await jobs.stop();
});
