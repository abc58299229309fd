import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readPlaces } from '../../config.js';
import { AppError } from '../../errors.js';
import { DRIFT_LIMITS } from '../../ranking/distribution.js';
import { ENGINE_FEATURES } from '../../ranking/features.js';
import { checkModel } from '../../ranking/model-check.js';
import { ModelRegistry, type ListedModel } from '../../ranking/model-registry.js';
import type { OffPolicyEstimate, PolicyValue } from '../evaluate/off-policy.js';
import { measureDrift } from './drift.js';
import { measureSkew } from '../skew/measure-skew.js';
import { importModel } from './import-model.js';
import { tryModel, type Trial } from './promote.js';

/** `npm run models -- COMMAND`: the versions of the model, and which of them serves. A running engine follows within a second. */

const USAGE = `npm run models -- COMMAND
  list                     the versions there are, what each was trained on, how good it is, and its state
  compare A B              both on the latest day of the archive, through the code that serves
  promote X [--force]      puts X into service: only if it passes the checks, and (without --force) is better by the rule
  rollback                 puts back the one before
  shadow X | shadow none   X scores beside the serving one, while nobody waits
  drift [X]                how far the latest day's features and scores are from those X (the serving one) was trained on
  skew                     computes the vectors of the latest hours' impressions anew from the archive: are they those served?
  import FILE.onnx --name N [--version V] [--user a,b,…] [--items c,d,…] [--licence L]
                           takes in a model made elsewhere: writes manifest, hashes and golden scores
options: --why TEXT for the journal; --json to read by program`;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    force: { type: 'boolean', default: false }, json: { type: 'boolean', default: false }, why: { type: 'string', default: '' },
    name: { type: 'string' }, version: { type: 'string' }, user: { type: 'string' }, items: { type: 'string' }, licence: { type: 'string' },
  },
});
const places = readPlaces();
const registry = new ModelRegistry(places.modelsDir, places.modelDir, Date.now);
const archiveDir = join(places.dataDir, 'archive');
const deed = (why: string) => ({ by: `${userInfo().username}@${hostname()}`, why: flags.why === '' ? why : flags.why });

const commands: Readonly<Record<string, (...args: readonly string[]) => Promise<void>>> = {
  async list() {
    const models = await registry.list();
    if (flags.json) print(models);
    else console.table(Object.fromEntries(models.map((model) => [model.label, row(model)])));
  },
  async compare(a, b) {
    const trial = await tryModel(registry, needed(b, 'compare A B'), archiveDir, { values: places.deedValues, against: needed(a, 'compare A B') });
    show(trial);
  },
  async promote(label) {
    const model = needed(label, 'promote X');
    if (flags.force) {
      await checkModel(await registry.find(model), ENGINE_FEATURES);
      await registry.promote(model, deed('forced'));
    } else {
      const trial = await tryModel(registry, model, archiveDir, { values: places.deedValues });
      show(trial);
      if (!trial.verdict.promote) throw new AppError('conflict', `${model} was not promoted (--force would): ${trial.verdict.why}.`);
      await registry.promote(model, deed(trial.verdict.why));
    }
    console.log(`${model} serves.`);
  },
  async rollback() {
    console.log(`${await registry.rollback(deed('by hand'))} serves again.`);
  },
  async shadow(label) {
    const model = needed(label, 'shadow X');
    const { shadow } = await registry.state();
    if (model !== 'none') await registry.shadow(model, deed('by hand'));
    else if (shadow !== null) await registry.endShadow(shadow.model, deed('by hand'));
    console.log(model === 'none' ? 'No model shadows.' : `${model} shadows.`);
  },
  async drift(label) {
    const { model, lists, indexes } = await measureDrift(label === undefined ? await registry.servingFolder() : await registry.find(label), archiveDir);
    const worst = [...indexes].sort(([, a], [, b]) => b - a);
    if (flags.json) print({ model, lists, psi: Object.fromEntries(worst) });
    else {
      console.table(Object.fromEntries(worst.slice(0, DRIFT_SHOWN).map(([column, psi]) => [column, { PSI: Number(psi.toFixed(4)), '': verdictOf(psi) }])));
      console.log(`${model}, ${lists} lists of the latest day; the ${DRIFT_SHOWN} columns that moved most (population stability index)`);
    }
  },
  async skew() {
    const { same, different, missing } = await measureSkew(archiveDir, { folderOf: (label) => registry.find(label), since: Date.now() - SKEW_HOURS * 3_600_000 });
    if (flags.json) print({ same, different: Object.fromEntries(different), missing: Object.fromEntries(missing) });
    else {
      console.log(`${same} impressions of the last ${SKEW_HOURS} hours are the same to the last bit.`);
      for (const [column, count] of different) console.log(`${count} differ in ${column}`);
      for (const [what, count] of missing) console.log(`${count} cannot be computed anew: missing ${what}`);
    }
  },
  async import(file) {
    const name = needed(flags.name, 'import FILE --name N');
    const label = await importModel(registry, needed(file, 'import FILE --name N'), {
      name, ...flags.version === undefined ? {} : { version: flags.version }, ...flags.licence === undefined ? {} : { licence: flags.licence },
      ...flags.user === undefined ? {} : { userFeatures: flags.user.split(',') }, ...flags.items === undefined ? {} : { itemFeatures: flags.items.split(',') },
    }, deed(`imported from ${file}`));
    console.log(`${label} → ${registry.folderOf(label)}`);
  },
};

function row({ state, manifest, why }: ListedModel): Record<string, string> {
  if (manifest === undefined) return { state: 'unreadable', why };
  const { from, until, source } = manifest.data;
  const span = typeof from === 'string' && typeof until === 'string' ? `${from.slice(0, 10)} … ${until.slice(0, 10)}` : '';
  return {
    state, trained: manifest.trainedAt.slice(0, 16), data: span === '' && typeof source === 'string' ? source : span,
    'NDCG@10': metric(manifest.metrics), why,
  };
}

/** `validation / test`, wherever a trainer wrote them. */
function metric(metrics: unknown): string {
  const find = (value: unknown, part: string): number | undefined => {
    if (typeof value !== 'object' || value === null) return undefined;
    for (const [key, inner] of Object.entries(value)) {
      if (/^ndcg@?10$/iu.test(key) && typeof inner === 'number' && part === '') return inner;
    }
    for (const [key, inner] of Object.entries(value)) {
      const found = key === part ? find(inner, '') : find(inner, part);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const text = ['validation', 'test'].map((part) => find(metrics, part)?.toFixed(4) ?? '–');
  return text.join(' / ');
}

const SKEW_HOURS = 2;
const DRIFT_SHOWN = 15;
const verdictOf = (psi: number): string => (psi > DRIFT_LIMITS.strong ? 'strong' : psi > DRIFT_LIMITS.moderate ? 'moderate' : '');

function show({ comparison, verdict }: Trial): void {
  if (flags.json) {
    print({ comparison, verdict });
    return;
  }
  const { serving, candidate, difference, lists, shoppers, correlation, offPolicy } = comparison;
  console.table(Object.fromEntries([serving, candidate].map(({ label, ...figures }) => [label, Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Number(value.toFixed(4))]))])));
  console.table(difference);
  if (offPolicy !== undefined) showOffPolicy({ [serving.label]: offPolicy.serving, [candidate.label]: offPolicy.candidate });
  console.log(`${lists} lists of ${shoppers} shoppers; rank correlation of the scores ${correlation.toFixed(3)}\nBy the rule: ${verdict.why}.`);
}

/** Worth of a list, had a model ordered it, by the logged propensities, ± a standard error. */
function showOffPolicy(estimates: Readonly<Record<string, OffPolicyEstimate>>): void {
  const text = ({ value, error }: PolicyValue): string => `${value.toFixed(4)} ± ${error.toFixed(4)}`;
  console.table(Object.fromEntries(Object.entries(estimates).map(([label, { logged, ips, snips, doublyRobust, support }]) =>
    [label, { 'as shown': text(logged), IPS: text(ips), SNIPS: text(snips), 'doubly robust': text(doublyRobust), support: Number(support.toFixed(3)) }])));
}

function print(value: unknown): void {
  console.log(JSON.stringify(value, null, 2));
}

function needed(value: string | undefined, usage: string): string {
  if (value === undefined) throw new AppError('invalid_request', `Usage: npm run models -- ${usage}`);
  return value;
}

const [name = '', ...args] = positionals;
const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
try {
  if (command === undefined) console.log(USAGE);
  else await command(...args);
  process.exitCode = command === undefined ? 1 : 0;
} catch (error) {
  console.error(error instanceof AppError ? error.message : error);
  process.exitCode = 1;
}
