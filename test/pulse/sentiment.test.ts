import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { sentimentOf, valenceOf, type Sentiment } from '../../src/pulse/sentiment.js';

const LABELS: Readonly<Record<string, Sentiment>> = { '+': 'positive', '-': 'negative', '=': 'neutral' };
const FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'comments');

/** `+ good`, `- bad`, `= neither`, one comment a line. */
function labelled(set: string): { label: Sentiment; text: string }[] {
  return readFileSync(join(FIXTURES, `${set}.txt`), 'utf8').trim().split('\n').map((line) => ({ label: LABELS[line[0]!]!, text: line.slice(2) }));
}

function accuracyOf(set: string): { right: number; wrong: string[] } {
  const comments = labelled(set);
  const wrong = comments.filter(({ label, text }) => sentimentOf(text) !== label).map(({ label, text }) => `${label}: ${text}`);
  return { right: 1 - wrong.length / comments.length, wrong };
}

await t.test('comments by which the words were chosen', async (t) => {
  const { right, wrong } = accuracyOf('tuned');
  t.ok(right >= 0.97, `${right} right, not: ${wrong.join('; ')}`);
});

await t.test('comments at which nobody looked while choosing the words', async (t) => {
  const { right, wrong } = accuracyOf('held-out');
  t.ok(right >= 0.95, `${right} right, not: ${wrong.join('; ')}`);
});

await t.test('negations, degrees, questions', async (t) => {
  t.ok(valenceOf('好用') > 0);
  t.ok(valenceOf('非常好用') > valenceOf('好用'));
  t.ok(valenceOf('不好用') < 0);
  t.ok(valenceOf('没有异味') > 0);
  t.equal(valenceOf('好用吗？'), 0, 'what is asked is not said');
  t.ok(valenceOf('很喜欢，但是多少钱？') > 0, 'of two clauses one asks');
  t.ok(valenceOf("don't like it") < 0);
  t.ok(valenceOf("It's not that good") < 0);
  t.ok(valenceOf('not good, but I love the color') > 0);
  t.equal(sentimentOf('差不多'), 'neutral', 'a longer word hides what is in it');
});

await t.test('any text has a sentiment, in time that grows with its length', async () => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.string({ unit: fc.constantFrom('不', '好', ' ', '?', "n't", 'good', '，', '😡') })), (text) => {
    return ['positive', 'negative', 'neutral'].includes(sentimentOf(text)) && Number.isFinite(valenceOf(text));
  }));
});
