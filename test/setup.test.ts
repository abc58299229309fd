import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Redis } from 'ioredis';
import t from 'tap';
import { startRedis } from './helpers/redis.js';

// Compiled, this file is dist/test/setup.test.js.
const ROOT = join(import.meta.dirname, '..', '..');

await t.test('the Redis helper', async (t) => {
  await t.test('starts an empty server of its own and removes every trace of it', async (t) => {
    const redis = await startRedis();
    const client = new Redis(redis.url);
    t.equal(await client.dbsize(), 0);
    t.equal(await client.config('GET', 'maxmemory-policy').then((pair) => (pair as string[])[1]), 'noeviction');
    client.disconnect();
    const { pid, dir } = redis;
    await redis.stop();
    await redis.stop();
    t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    t.notOk(existsSync(dir));
  });

  await t.test('keeps acknowledged data over a kill when asked for an append-only file', async (t) => {
    const redis = await startRedis({ appendOnly: true, appendFsync: 'always' });
    t.teardown(() => redis.stop());
    await withClient(redis.url, (client) => client.set('kept', '1'));
    const killed = redis.pid;
    await redis.kill('SIGKILL');
    await redis.restart();
    t.not(redis.pid, killed);
    t.equal(await withClient(redis.url, (client) => client.get('kept')), '1');
  });

  await t.test('a paused server answers again, and restarts', async (t) => {
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    await redis.kill('SIGSTOP');
    await redis.kill('SIGCONT');
    t.equal(await withClient(redis.url, (client) => client.ping()), 'PONG');
    await redis.kill('SIGSTOP');
    await redis.restart();
    t.equal(await withClient(redis.url, (client) => client.ping()), 'PONG');
  });

  await t.test('does not outlive a process that is killed', async (t) => {
    const script = `import { startRedis } from './dist/test/helpers/redis.js';
      const redis = await startRedis();
      console.log(JSON.stringify({ pid: redis.pid, dir: redis.dir }));
      process.kill(process.pid, 'SIGKILL');`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT, encoding: 'utf8' });
    const { pid, dir } = JSON.parse(stdout) as { pid: number; dir: string };
    t.teardown(() => rmSync(dir, { recursive: true, force: true }));
    const deadline = Date.now() + 30_000;
    while (isAlive(pid) && Date.now() < deadline) await new Promise((done) => setTimeout(done, 20));
    t.notOk(isAlive(pid));
  });
});

await t.test('the set-up command', async (t) => {
  const cli = (...args: string[]) =>
    spawnSync(process.execPath, ['src/setup/cli.mjs', ...args], { cwd: ROOT, encoding: 'utf8', timeout: 30_000 });

  await t.test('tells its usage when it does not understand', async (t) => {
    for (const args of [[], ['strat'], ['start', 'now'], ['start', '--workers'], ['start', '--workers', 'many'], ['build', 'all']]) {
      const { status, stderr } = cli(...args);
      t.equal(status, 2, args.join(' '));
      t.match(stderr, /^usage: /);
    }
  });

  await t.test('names what is wrong with a run', async (t) => {
    const wrong = cli('run', '--rdis', 'dist/bench/bench.js');
    t.equal(wrong.status, 1);
    t.equal(wrong.stderr, 'rivulet: run does not know the option --rdis\n');
    const missing = cli('run');
    t.equal(missing.status, 1);
    t.match(missing.stderr, /run needs the compiled file/);
  });
});

interface SetUp {
  findProgram(names: readonly string[], path?: string): string | undefined;
  takeLock(file: string): { lock?: { release(): void }; owner?: { pid: number }; previous?: { pid: number } };
  startPrivateRedis(options: { program: string; folder: string; onLost: () => void }): Promise<{ url: string; stop(): Promise<void> }>;
  readTap(name: string): { line(text: string): void; end(exitCode: number): TapFile };
  summaryLine(counts: TapFile): string;
  runFiles(files: readonly string[], options: { env: object; onFile: (file: TapFile) => void }): Promise<void>;
}
interface TapFile { name: string; passed: number; failed: number; skipped: { name: string; reason: string; file: string }[]; details: string[] }

/** The set-up is plain JavaScript outside the compilation; its modules are loaded from the source tree. */
async function setUp<Name extends keyof SetUp>(file: string, name: Name): Promise<SetUp[Name]> {
  const module = (await import(join(ROOT, 'src', 'setup', file))) as SetUp;
  return module[name];
}

await t.test('a lock is held once, and taken over from the dead', async (t) => {
  const takeLock = await setUp('lock.mjs', 'takeLock');
  const file = join(temporaryFolder(t), 'lock.json');
  const { lock } = takeLock(file);
  t.ok(lock);
  t.equal(takeLock(file).previous?.pid, process.pid, 'one process does not shut itself out');
  const script = `import { takeLock } from './src/setup/lock.mjs';
    console.log(JSON.stringify(takeLock(process.argv[1]).owner ?? null));`;
  const inAnotherProcess = (): unknown =>
    JSON.parse(spawnSync(process.execPath, ['--input-type=module', '-e', script, file], { cwd: ROOT, encoding: 'utf8' }).stdout);
  t.match(inAnotherProcess(), { pid: process.pid }, 'held by us');
  lock?.release();
  t.equal(inAnotherProcess(), null, 'free: it takes it and dies with it');
  t.ok(takeLock(file).lock, 'a dead owner holds nothing');
});

await t.test('the private Redis comes back after a kill with its data, and refuses a second start', async (t) => {
  const startPrivateRedis = await setUp('redis.mjs', 'startPrivateRedis');
  const findProgram = await setUp('shell.mjs', 'findProgram');
  const program = process.env['REDIS_SERVER'] ?? findProgram(['redis-server', 'valkey-server']);
  if (program === undefined) throw new Error('no Redis program');
  const folder = temporaryFolder(t);
  const redis = await startPrivateRedis({ program, folder, onLost: () => t.fail('lost') });
  t.teardown(() => redis.stop());

  const client = new Redis(redis.url);
  t.teardown(() => client.disconnect());
  client.on('error', () => {}); // the outage is the point
  await client.set('kept', 'yes');
  await client.config('SET', 'appendfsync', 'always');
  const { redisPid } = JSON.parse(readFileSync(join(folder, 'lock.json'), 'utf8')) as { redisPid: number };
  process.kill(redisPid, 'SIGKILL');
  t.equal(await client.get('kept'), 'yes');
  t.notMatch(JSON.parse(readFileSync(join(folder, 'lock.json'), 'utf8')), { redisPid }, 'another process');

  const script = `import { startPrivateRedis } from './src/setup/redis.mjs';
    await startPrivateRedis({ program: process.argv[1], folder: process.argv[2], onLost() {} }).catch((error) => console.log(error.message));`;
  const second = spawnSync(process.execPath, ['--input-type=module', '-e', script, program, folder], { cwd: ROOT, encoding: 'utf8', timeout: 20_000 });
  t.match(second.stdout, /already runs here \(process \d+\)/);
});

await t.test('the test report', async (t) => {
  const readTap = await setUp('tap-summary.mjs', 'readTap');
  const summaryLine = await setUp('tap-summary.mjs', 'summaryLine');
  const report = (text: string, exitCode = 0) => {
    const tap = readTap('a.test.js');
    for (const line of text.split('\n')) tap.line(line);
    const file = tap.end(exitCode);
    return { ...file, line: summaryLine(file) };
  };

  await t.test('counts the tests of a file, and tells the skipped ones by name', async (t) => {
    const { line, skipped, details } = report(`TAP version 14
# Subtest: one
    ok 1 - should be equal
    ok 2 - deep # SKIP why not
{"msg":"ok 1 - a log line"}
    1..2
ok 1 - one # time=10.9ms
ok 2 - all of it # SKIP no browser
# Subtest: bad
    not ok 1 - same things
      ---
      diff: here
      ...
    1..1
not ok 3 - bad # time=32.18ms
  ---
  at: there
  ...
1..3
`, 1);
    t.equal(line, '1 passed, 1 failed, 2 skipped');
    t.same(skipped.map(({ name, reason }) => [name, reason]), [['deep', 'why not'], ['all of it', 'no browser']]);
    t.match(details.join('\n'), /# Subtest: bad[^]*diff: here[^]*at: there/);
    t.notMatch(details.join('\n'), /should be equal/);
  });

  await t.test('a file that crashed, hung, ended early or has no tests is a failure', async (t) => {
    t.equal(report('', 1).line, '0 passed, 1 failed');
    t.equal(report('ok 1 - one\n1..1', 1).line, '1 passed, 1 failed');
    t.equal(report('ok 1 - one\n').line, '1 passed, 1 failed');
    t.equal(report('').line, '0 passed, 1 failed');
    t.equal(report('1..0 # no browser').line, '0 passed, 0 failed, 1 skipped');
    t.equal(report('ok 1 - one\n1..1').line, '1 passed, 0 failed');
  });
});

await t.test('test files run each by itself, the ones that need the machine alone last', async (t) => {
  const runFiles = await setUp('test-files.mjs', 'runFiles');
  const folder = temporaryFolder(t);
  const fileOf = (name: string, script: string): string => {
    const path = join(folder, 'test', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, script);
    return path;
  };
  const good = `console.log(process.env.GREETING === 'hello' ? 'ok 1 - it\\n1..1' : 'not ok 1 - it\\n1..1');`;
  const files = [fileOf('fault/alone.mjs', good), fileOf('good.mjs', good), fileOf('crash.mjs', 'console.log("ok 1 - it"); process.kill(process.pid, "SIGKILL");')];
  const ended: TapFile[] = [];
  await runFiles(files, { env: { GREETING: 'hello' }, onFile: (file) => ended.push(file) });
  t.equal(ended.at(-1)?.name, files[0]);
  t.same(new Map(ended.map(({ name, passed, failed }) => [name, [passed, failed]])), new Map([[files[0], [1, 0]], [files[1], [1, 0]], [files[2], [1, 1]]]));
});

await t.test('what a container is built from exists', async (t) => {
  const dockerfile = read('Dockerfile');
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(?:--\S+ )*(.+) \S+$/gm)].flatMap((match) => (match[1] ?? '').split(' '));
  t.ok(copied.length > 0);
  for (const path of copied) t.ok(existsSync(join(ROOT, path)), path);
  const ignored = read('.dockerignore').split('\n').map((line) => line.replace(/\/$/, ''));
  for (const path of copied) t.notOk(ignored.includes(path.replace(/\/$/, '')), `${path} is not ignored`);
  t.match(dockerfile, /^USER (?!root)/m, 'not as root');
  t.match(dockerfile, /^HEALTHCHECK [^]*\/health\/ready/m);
  t.match(dockerfile, /dist\/src\/main\.js/);
  const compose = read('compose.yaml');
  t.notMatch(compose, /\t/, 'YAML has no tabs');
  t.match(compose, /--maxmemory-policy noeviction/);
  t.match(compose, /--appendonly yes/);
  t.match(compose, /API_KEYS: \$\{API_KEYS:\?/, 'beyond loopback there is no engine without keys');
});

await t.test('the lock file', async (t) => {
  interface Package { resolved?: string; optionalDependencies?: Record<string, string> }
  const packages = (JSON.parse(read('package-lock.json')) as { packages: Record<string, Package> }).packages;
  t.ok(Object.keys(packages).length > 100);

  await t.test('names no registry host', async (t) => {
    t.same(Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined), []);
  });

  // npm leaves out what the registry in use did not have, and `npm ci` then refuses the file.
  await t.test('has the optional packages of every platform', async (t) => {
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter((name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages)),
    );
    t.same(missing, []);
  });
});

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

function temporaryFolder(t: { teardown(body: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-setup-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

async function withClient<Result>(url: string, body: (client: Redis) => Promise<Result>): Promise<Result> {
  const client = new Redis(url);
  try {
    return await body(client);
  } finally {
    client.disconnect();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
