import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import t from 'tap';

/**
 * What each part of src/ may import of ours, besides itself. A part is a folder, or a file directly in src/. An entry
 * is a folder, one file of a folder where the rest is an inside, or either after `type `, where only its types are
 * meant. The order is the reading order: data at the top, wiring at the bottom.
 */
const PURE = ['domain', 'util', 'errors'];
const STAGES = ['profile', 'segments', 'catalog', 'candidates', 'ranking', 'offers', 'campaigns', 'webhooks', 'growth', 'risk', 'live', 'pulse'];
/** How a profile is shown: pure views of it, no insides. */
const VIEWS = ['profile/portrait', 'profile/describe', 'profile/vector'];
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  util: [],
  errors: [],
  command: ['errors'],
  'token-key': ['errors'],
  config: ['errors', 'util', 'token-key'],
  domain: ['util'],
  metrics: ['domain', 'type processes'],
  profile: PURE,
  catalog: [...PURE, 'profile/profile', 'type profile/fold'],
  candidates: [...PURE, 'catalog', 'profile'],
  encoder: [...PURE, 'catalog', 'profile', 'ranking/manifest', 'ranking/session'],
  ranking: [...PURE, 'catalog', 'profile', 'candidates/pool', 'candidates/statistics', 'candidates/statistics-settings', 'encoder', 'type candidates'],
  segments: [...PURE, 'profile'],
  offers: [...PURE, 'profile', 'type catalog'],
  campaigns: [...PURE, 'profile', 'segments/expression', 'offers'],
  webhooks: PURE,
  growth: [...PURE, 'segments/expression'],
  risk: [...PURE, 'profile'],
  pulse: PURE,
  live: [...PURE, 'config', 'token-key', 'type offers'],
  archive: [...PURE, 'type offers'],
  // What the stores keep: encoded profiles and statistics, and impressions with their features' names.
  redis: [...PURE, 'pulse/decay', 'profile/codec', 'profile/vector', 'type profile/portrait', 'ranking/features', 'candidates/statistics-codec', 'offers/contact-policy', 'offers/decide/offer-features', 'offers/decide/decision-record', 'type candidates', 'type offers', 'type campaigns'],
  paths: [...PURE, ...STAGES, 'redis'],
  follow: [...PURE, ...STAGES, 'redis', 'archive', 'type paths'],
  jobs: [...PURE, ...STAGES, 'redis', 'archive', 'type paths', 'type learn'],
  http: [...PURE, ...VIEWS, 'paths', 'redis/errors', 'type redis', 'type catalog', 'type config', 'type metrics'],
  // Beside the running engine: the shop it is shown with, the training of its model, the reader of real
  // logs, the writer of the generated documentation.
  demo: PURE,
  learn: [...PURE, 'command', 'profile', 'catalog', 'candidates', 'encoder', 'ranking', 'archive', 'demo', 'offers', 'config', 'jobs/trending', 'redis/trending-store', 'redis/impression-log', 'paths/recommend', 'type redis/drift-store', 'type jobs/catalog-archive'],
  replay: [...PURE, 'command'],
  processes: [...PURE, 'type config'],
  docs: [...PURE, 'config', 'offers/decide/offer-features', 'profile/portrait-schema', 'profile/vector', 'ranking/features'],
};
/** The composition roots of the two roles, and the process around them, import everything. */
const ROOTS = ['app', 'worker', 'main', 'wire'];

const SRC = join(import.meta.dirname, '..', '..', 'src');

interface Import {
  /** Paths below src/ without ending: `profile/fold`. */
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.replaceAll('\\', '/').slice(0, -'.ts'.length))
  .toSorted();
const imports = files.flatMap((file) => importsOf(file, readFileSync(join(SRC, `${file}.ts`), 'utf8')));

await t.test('the imports of a file are read whole', async (t) => {
  const source = `
    import { a,
      type B } from './one.js';
    import type { C } from '../profile/two.js';
    import { type D, type E } from './three.js';
    import fastify, { type F } from 'fastify';
    export { g } from './four.js';
    export type { H } from './five.js';
    import './six.js';
    // import { no } from './comment.js';
    const seven = await import('./seven.js');
  `;
  t.same(
    importsOf('paths/x', source).map(({ to, isType }) => (isType ? `type ${to}` : to)).toSorted(),
    ['paths/four', 'paths/one', 'paths/seven', 'paths/six', 'type paths/five', 'type paths/three', 'type profile/two'],
  );
});

await t.test('imports go in the directions of the design', async (t) => {
  t.ok(imports.length > 50, 'they were found');
  t.same(files.map(partOf).filter((part) => !(part in ALLOWED) && !ROOTS.includes(part)), [], 'every part has its line in the table');
  t.same(imports.filter((one) => !isAllowed(one)).map(({ from, to }) => `${from} → ${to}`), []);
});

await t.test('no import goes in a circle', async (t) => {
  t.same(findCycle(imports), undefined);
  t.same(findCycle([edge('a', 'b'), edge('b', 'c'), edge('c', 'b')]), ['b', 'c', 'b'], 'a circle would be found');
});

function importsOf(file: string, source: string): Import[] {
  const code = source.replace(/\/\*[^]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const statements = [
    ...code.matchAll(/^\s*(?:import|export)\s+(type\s)?([^'";]*?)\sfrom\s+'(\.[^']+)'/gm),
    ...code.matchAll(/^\s*import\s+()()'(\.[^']+)'/gm),
    ...code.matchAll(/\bimport\(()()'(\.[^']+)'\)/g),
  ];
  return statements.map(([, type, names = '', path = '']) => ({
    from: file,
    to: posix.join(posix.dirname(file), path).replace(/\.js$/, ''),
    isType: type !== undefined && type !== '' ? true : areAllTypes(names),
  }));
}

/** `{ type A, type B }` */
function areAllTypes(names: string): boolean {
  const inBraces = /^\{([^}]*)\}$/.exec(names.trim())?.[1];
  if (inBraces === undefined) return false;
  return inBraces.split(',').map((name) => name.trim()).filter((name) => name !== '').every((name) => name.startsWith('type '));
}

function isAllowed({ from, to, isType }: Import): boolean {
  const part = partOf(from);
  if (ROOTS.includes(part) || part === partOf(to)) return true;
  return (ALLOWED[part] ?? []).some((entry) => {
    const isTypeOnly = entry.startsWith('type ');
    const path = isTypeOnly ? entry.slice('type '.length) : entry;
    return (isType || !isTypeOnly) && (path === to || path === partOf(to));
  });
}

function partOf(file: string): string {
  return file.split('/')[0] ?? file;
}

/** The first circle found, depth first: `[a, b, a]`. */
function findCycle(edges: readonly Import[]): string[] | undefined {
  const next = new Map<string, string[]>();
  for (const { from, to } of edges) next.set(from, [...(next.get(from) ?? []), to]);
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (file: string): string[] | undefined => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (done.has(file)) return undefined;
    trail.push(file);
    for (const target of next.get(file) ?? []) {
      const cycle = visit(target);
      if (cycle !== undefined) return cycle;
    }
    trail.pop();
    done.add(file);
    return undefined;
  };
  for (const file of next.keys()) {
    const cycle = visit(file);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

function edge(from: string, to: string): Import {
  return { from, to, isType: false };
}
