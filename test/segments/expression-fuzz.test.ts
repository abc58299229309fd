import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { PORTRAIT_FIELDS, type PortraitDocument, type PortraitFieldName } from '../../src/profile/portrait-schema.js';
import { compileExpression } from '../../src/segments/expression.js';
import { EXPRESSION_COST_MAX } from '../../src/segments/expression-cost.js';
import { ExpressionError } from '../../src/segments/expression-error.js';
import { seededRandom } from '../../src/util/random.js';
import { ann } from '../helpers/portraits.js';

/**
 * Random expressions: 10,000 by default; `FUZZ_EXPRESSIONS=1000000 FUZZ_SEED=1 npm test segments/expression-fuzz`
 * runs as many as are wanted.
 * None may hang (tap ends the file if one does), throw anything but a refusal with a position, read more of the portrait
 * than its cost allows, or leave memory behind.
 */
const RUNS = Number(process.env['FUZZ_EXPRESSIONS'] ?? 10_000);
const SEED = Number(process.env['FUZZ_SEED'] ?? 4);
/** Bytes an expression may leave behind on average: an own name kept for each would be some hundreds. */
const LEFT_PER_EXPRESSION_MAX = 100;
/** What garbage collection leaves unexplained, bytes. */
const HEAP_NOISE = 2_000_000;

const random = seededRandom(SEED);
const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
const fields = Object.keys(PORTRAIT_FIELDS) as PortraitFieldName[];
const TOKENS = [
  ...fields, 'x', 'y', '1', '2.5', '2u', '0x1F', '-9223372036854775808', '1e308', '"a"', "b'a'", 'r"\\d"', '"""t"""', 'true', 'null', '[', ']', '(', ')', '{', '}', ',', ':', '.', '?', '!', '-', '+', '*', '/', '%',
  '&&', '||', '==', '!=', '<', '>=', ' in ', '.exists(x,', '.all(y,', '.exists_one(x,', '.filter(x,', '.map(x,', '.size()', '.matches("(a+)+$")', '.split(",")', 'has(', 'size(', 'weight(', 'double(', 'int(', 'cel.bind(x,', 'type(', 'dyn(', 'duration("1h")', 'timestamp("x")', '__proto__', 'constructor', '\n', '\\', '"', '//', '\u{1F600}', '\0',
];

const words = (count: number): string => Array.from({ length: count }, () => pick(TOKENS)).join(pick(['', ' ']));
/** A name that was never used before: what remembers names grows by it. */
const newName = (): string => `n${Math.floor(random() * 2 ** 48).toString(36)}`;

/** Mostly well-formed, of type bool. */
function condition(depth: number): string {
  const kind = depth <= 0 ? random() * 0.5 : random();
  if (kind < 0.2) return `${pick(['orders', 'sessions', 'points', 'level', 'spentMinor', 'size(badges)', 'daysToBirthday'])} ${pick(['>', '<=', '==', '!='])} ${Math.floor(random() * 100)}`;
  if (kind < 0.35) return `${pick(['priceLevel', 'daysSinceOrder', 'riskScore', `weight(tags, "${newName()}")`, 'recent["purchase"]'])} < ${(random() * 10).toFixed(2)}`;
  if (kind < 0.42) return `${pick(['lifecycle', 'valueTier', `attributes.${newName()}`])} in ["${newName()}", "loyal"]`;
  if (kind < 0.5) return pick(['consent["marketing"]', `has(attributes.${newName()})`, `"${newName()}" in categories`, 'true', `${newName()}(orders)`, `lifecycle.${newName()}()`]);
  if (kind < 0.7) return `(${condition(depth - 1)}) ${pick(['&&', '||'])} (${condition(depth - 1)})`;
  if (kind < 0.78) return `!(${condition(depth - 1)})`;
  if (kind < 0.86) return `(${condition(depth - 1)} ? ${condition(depth - 1)} : ${condition(depth - 1)})`;
  const name = newName();
  return `${pick(['badges', 'categories', 'season', 'segments', '[1, 2, 3]', `badges.filter(f, f != "${name}")`])}.${pick(['exists', 'all', 'exists_one'])}(${name}, ${condition(depth - 1)})`;
}

/** Cuts, doubles or changes a piece. */
function damaged(source: string): string {
  const at = Math.floor(random() * source.length);
  const to = at + Math.floor(random() * 20);
  return pick([source.slice(0, at) + source.slice(to), source.slice(0, to) + source.slice(at), source.slice(0, at) + pick(TOKENS) + source.slice(to)]);
}

/** What is meant to exhaust something. */
function hostile(): string {
  const n = Math.floor(random() * 2000);
  return pick([
    '('.repeat(n), '!'.repeat(n) + 'true', '-'.repeat(n) + '1 == 1', '['.repeat(n), 'orders' + ' + orders'.repeat(n / 9) + ' > 0', 'badges' + '.filter(x, true)'.repeat(n / 16) + ' == badges',
    `${Array.from({ length: 12 }, (_, i) => `segments.all(x${i}, `).join('')}true${')'.repeat(12)}`, `[${'1,'.repeat(n)}1].exists(x, x == ${n})`, '"' + 'a'.repeat(n), 'a.'.repeat(n / 2),
    `cel.bind(a, [1], ${'cel.bind(a, a + a, '.repeat(n / 40)}a == a${')'.repeat(n / 40 + 1)}`, '{'.repeat(n / 2), 'true ? '.repeat(n / 7), `lifecycle.matches("${'(a+)+'.repeat(n / 20)}$")`,
  ]);
}

function expression(): string {
  const kind = random();
  if (kind < 0.2) return words(Math.floor(random() * 40));
  if (kind < 0.6) return condition(4);
  if (kind < 0.75) return damaged(condition(4));
  return kind < 0.85 ? hostile() : Array.from({ length: 12 }, () => `${newName()}(orders).${newName()}()`).join(' == ');
}

let reads = 0;
/** Counts what is read of it. */
const counted = (document: PortraitDocument): PortraitDocument => new Proxy(document, {
  get: (target, name) => {
    reads += 1;
    return target[name as PortraitFieldName];
  },
});
const empty = Object.fromEntries(fields.map((field) => [field, undefined])) as unknown as PortraitDocument;
const documents = [ann, empty].map(counted);
const met = { taken: 0, refused: 0, matched: 0 };

function meet(source: string): void {
  try {
    const compiled = compileExpression(source);
    met.taken += 1;
    for (const document of documents) {
      reads = 0;
      if (compiled.matches(document)) met.matched += 1;
      if (reads > EXPRESSION_COST_MAX) throw new Error(`${reads} reads: ${source}`);
    }
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw new Error(`Not refused but broken: ${JSON.stringify(source)}`, { cause: error });
    const { offset, line, column } = error.position;
    if (!(offset >= 0 && offset <= source.length && line >= 1 && column >= 1)) throw new Error(`No such position (${offset}): ${JSON.stringify(source)}`, { cause: error });
    met.refused += 1;
  }
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

await t.test(`${RUNS} random expressions are refused with a position or evaluated at a bounded cost, and leave nothing behind`, async (t) => {
  // What is loaded and compiled on first use is no leak.
  for (let i = 0; i < 500; i++) meet(expression());
  const before = heapUsed();
  for (let i = 0; i < RUNS; i++) meet(expression());
  const left = heapUsed() - before;
  t.comment(`${met.taken} taken (${met.matched} matches), ${met.refused} refused; ${Math.round(left / RUNS)} bytes left per expression`);
  t.ok(met.taken > RUNS / 10 && met.refused > RUNS / 10 && met.matched > 0, 'both kinds were met');
  t.ok(left < HEAP_NOISE + RUNS * LEFT_PER_EXPRESSION_MAX, `${left} bytes left`);
});
