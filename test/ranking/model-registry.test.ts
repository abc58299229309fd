import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { AppError } from '../../src/errors.js';
import { ModelHolder } from '../../src/ranking/model-holder.js';
import { ModelRegistry } from '../../src/ranking/model-registry.js';
import { ModelWatcher } from '../../src/ranking/model-watcher.js';
import { ENGINE_FEATURES, writeTestModel } from '../helpers/models.js';
import { until } from '../helpers/streams.js';

const deed = { by: 'ann@here', why: 'because' };
const T0 = Date.UTC(2026, 0, 1);

async function made(t: Test): Promise<{ dir: string; registry: ModelRegistry }> {
  const dir = t.testdir();
  for (const [folder, version] of [['shipped', '0'], ['a', '1'], ['b', '2']] as const) {
    await writeTestModel(join(dir, folder), { name: 'm', version, offset: Number(version) });
  }
  return { dir, registry: new ModelRegistry(join(dir, 'models'), join(dir, 'shipped'), () => T0) };
}

const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(() => 'ok', (error: unknown) => (error instanceof AppError ? error.code : String(error)));

await t.test('versions side by side: promoted, rolled back step by step, with a journal', async (t) => {
  const { dir, registry } = await made(t);
  t.equal(await registry.servingFolder(), join(dir, 'shipped'));
  t.equal(await codeOf(registry.rollback(deed)), 'conflict', 'nothing to go back to');
  t.equal(await registry.add(join(dir, 'a'), deed), 'm@1');
  t.equal(await registry.add(join(dir, 'a'), deed), 'm@1', 'again changes nothing');
  await registry.add(join(dir, 'b'), deed);
  await registry.promote('m@1', deed);
  await registry.promote('m@2', { by: 'worker', why: 'better' });
  t.equal(await registry.servingFolder(), registry.folderOf('m@2'));
  t.same((await registry.list()).map(({ label, state }) => [label, state]), [['m@0', 'candidate'], ['m@1', 'candidate'], ['m@2', 'serving']]);
  t.equal(await registry.rollback(deed), 'm@1');
  t.equal(await registry.rollback(deed), 'm@0', 'at last the one of MODEL_DIR');
  t.equal(await registry.servingFolder(), join(dir, 'shipped'));
  await registry.refuse('m@2', { by: 'worker', why: 'worse after all' });
  t.match((await registry.list()).find(({ label }) => label === 'm@2'), { state: 'refused', why: 'worse after all' });
  const { journal } = await registry.state();
  t.same(journal.map(({ action, model }) => `${action} ${model}`), ['add m@1', 'add m@2', 'promote m@1', 'promote m@2', 'rollback m@1', 'rollback m@0', 'refuse m@2']);
  t.match(journal[3], { at: '2026-01-01T00:00:00.000Z', by: 'worker', why: 'better' });
  t.same((await readdir(registry.dir)).toSorted(), ['m@1', 'm@2', 'models.json'], 'nothing half done is left');
});

await t.test('what is not there, or there with other content, is said', async (t) => {
  const { dir, registry } = await made(t);
  for (const label of ['m@9', '../shipped', '', 'm']) t.equal(await codeOf(registry.promote(label, deed)), 'not_found', label);
  await registry.add(join(dir, 'a'), deed);
  await writeTestModel(join(dir, 'other'), { name: 'm', version: '1', offset: 7 });
  t.equal(await codeOf(registry.add(join(dir, 'other'), deed)), 'conflict');
  t.equal(await codeOf(registry.add(join(dir, 'nowhere'), deed)), 'model_refused');
});

await t.test('writers take turns, and the lock of one that crashed is taken over', async (t) => {
  const { dir, registry } = await made(t);
  await registry.add(join(dir, 'a'), deed);
  const lock = join(registry.dir, '.lock');
  await writeFile(lock, '');
  await utimes(lock, new Date(0), new Date(0));
  await Promise.all(Array.from({ length: 12 }, (_, i) => registry.refuse('m@1', { by: `w${i}`, why: '' })));
  t.equal((await registry.state()).journal.length, 13);
  // A crash while a new state was being written leaves a file beside, never half of the state.
  await writeFile(join(registry.dir, 'models.json.x.new'), '{"serv');
  t.equal((await registry.state()).serving, null);
});

await t.test('a running engine follows the registry, and shadows', async (t) => {
  const { dir, registry } = await made(t);
  await mkdir(registry.dir);
  const holder = new ModelHolder({ features: ENGINE_FEATURES, clock: Date.now });
  const watcher = new ModelWatcher(holder, registry, 20);
  t.same(await watcher.start(), { model: 'm@0' });
  await registry.add(join(dir, 'a'), deed);
  await registry.promote('m@1', deed);
  await until('it is taken', () => holder.status.model === 'm@1');
  await registry.add(join(dir, 'b'), deed);
  await registry.shadow('m@2', deed);
  await until('it shadows', () => holder.status.shadow === 'm@2');
  const text = await readFile(join(registry.dir, 'models.json'), 'utf8');
  await writeFile(join(registry.dir, 'models.json'), '{');
  await new Promise((done) => { setTimeout(done, 100); });
  t.same([holder.status.model, holder.status.shadow], ['m@1', 'm@2'], 'what cannot be read changes nothing');
  await writeFile(join(registry.dir, 'models.json'), text);
  await registry.promote('m@2', deed);
  await until('it serves, and no longer shadows', () => holder.status.model === 'm@2' && holder.status.shadow === undefined);
  await registry.rollback(deed);
  await until('the one before is back', () => holder.status.model === 'm@1');
  await watcher.stop();
  await holder.close();
});
