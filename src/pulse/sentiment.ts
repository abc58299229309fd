import { EN_DEGREES, EN_NEGATORS, EN_VALENCE } from './words-en.js';
import { ZH_DEGREES, ZH_NEGATORS, ZH_VALENCE } from './words-zh.js';
import { isQuestion } from './questions.js';

export type Sentiment = 'positive' | 'neutral' | 'negative';

const RULES = {
  /** Units (a Chinese character, another word, an emoji) of the longest entry. */
  entryUnitsMax: 6,
  /** Units after a negation or a degree in which it finds what it is about. */
  reach: 6,
  /** What is left of a word's weight when it is turned round: not good is not as bad as bad. */
  negated: -0.7,
  /** A sum from which a comment is called good or bad: a faint word is enough. */
  decidedFrom: 0.5,
} as const;

type Entry = { readonly kind: 'valence' | 'degree'; readonly value: number } | { readonly kind: 'negator' };
const ENTRIES: ReadonlyMap<string, Entry> = new Map<string, Entry>([
  ...degrees(EN_DEGREES, ', '), ...degrees(ZH_DEGREES, ' '),
  ...valences(EN_VALENCE), ...valences(ZH_VALENCE),
  ...[...EN_NEGATORS, ...ZH_NEGATORS].map((word): [string, Entry] => [word, { kind: 'negator' }]),
]);

const CLAUSES = /[,.!?;:，。！？；：、~…\n\r]+|\s(?=\p{Script=Han})|(?<=\p{Script=Han})\s|\bbut\b|但是|不过|就是|(?<=\p{Script=Han})但/u;
const CLAUSE_ENDS = new RegExp(`(?<=[?？])|${CLAUSES.source}`, 'u');
const UNITS = /\p{Script=Han}|[\p{Script=Latin}\p{N}]+(?:'\p{Script=Latin}+)*|\p{Extended_Pictographic}/gu;
const HAN = /^\p{Script=Han}/u;

/** Good, bad or neither; what is asked, is not said. Pure: by words with their negations and degrees, clause by clause. */
export function sentimentOf(comment: string): Sentiment {
  const valence = valenceOf(comment);
  return valence >= RULES.decidedFrom ? 'positive' : valence <= -RULES.decidedFrom ? 'negative' : 'neutral';
}

/** @returns the sum over the words of a comment; 0: nothing speaks for or against */
export function valenceOf(comment: string): number {
  const text = comment.normalize('NFKC').toLowerCase().replaceAll('’', "'");
  return text.split(CLAUSE_ENDS).filter((clause) => clause !== undefined && !isQuestion(clause)).reduce((sum, clause) => sum + valenceOfClause(clause), 0);
}

function valenceOfClause(clause: string): number {
  const units = clause.match(UNITS) ?? [];
  let sum = 0;
  let factor = 1;
  let reach = 0;
  for (let at = 0; at < units.length;) {
    const { entry, length } = entryAt(units, at);
    if (reach <= 0) factor = 1;
    if (entry?.kind === 'negator') factor *= RULES.negated;
    else if (entry?.kind === 'degree') factor *= entry.value;
    else if (entry !== undefined && entry.value !== 0) {
      sum += entry.value * factor;
      factor = 1;
    }
    reach = entry === undefined || entry.kind === 'valence' ? reach - length : RULES.reach;
    at += length;
  }
  return sum;
}

/** The longest entry that begins there. */
function entryAt(units: readonly string[], at: number): { readonly entry: Entry | undefined; readonly length: number } {
  for (let length = Math.min(RULES.entryUnitsMax, units.length - at); length > 0; length--) {
    const entry = ENTRIES.get(joined(units.slice(at, at + length)));
    if (entry !== undefined) return { entry, length };
  }
  return { entry: undefined, length: 1 };
}

const joined = (units: readonly string[]): string =>
  units.reduce((text, unit, i) => (i === 0 || HAN.test(unit) || HAN.test(units[i - 1]!) ? text + unit : `${text} ${unit}`), '');

function degrees(words: Readonly<Record<string, string>>, separator: string): [string, Entry][] {
  return Object.entries(words).flatMap(([value, list]) => list.split(separator).map((word): [string, Entry] => [word, { kind: 'degree', value: Number(value) }]));
}

function valences(words: ReadonlyMap<string, number>): [string, Entry][] {
  return [...words].map(([word, value]) => [word, { kind: 'valence', value }]);
}
