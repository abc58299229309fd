import t from 'tap';
import type { PORTRAIT_FIELDS, PortraitDocument } from '../../src/profile/portrait-schema.js';
import { compileExpression } from '../../src/segments/expression.js';
import { ExpressionError } from '../../src/segments/expression-error.js';
import { ann } from '../helpers/portraits.js';

const matches = (source: string, document: PortraitDocument = ann): boolean => compileExpression(source).matches(document);

/** @returns the fault with its position */
function faultOf(source: string, without: readonly (keyof typeof PORTRAIT_FIELDS)[] = []): ExpressionError {
  try {
    compileExpression(source, { without });
  } catch (error) {
    if (error instanceof ExpressionError) return error;
    throw error;
  }
  throw new Error(`"${source}" was taken.`);
}

await t.test('an expression asks about every field of the portrait', async (t) => {
  for (const source of [
    'orders >= 3 && lifecycle == "loyal"', 'spentMinor / orders > 1000', 'double(spentMinor) * 0.5 > 100.0', 'priceLevel < 4.5',
    'categories["shoes"] > 2.0', '"shoes" in categories && !("books" in categories)', 'weight(categories, "books") == 0.0',
    'categories.exists(name, name.startsWith("sho") && categories[name] > 2.0)', 'size(badges) == 1 && badges.all(b, b != "")',
    'badges.filter(b, b.contains("r")).size() == 1', 'consent["marketing"]', 'attributes.region == "north"', 'attributes.children > 1',
    'has(attributes.region) && !has(attributes.gender)', 'lifecycle in ["new", "loyal"]', 'daysToBirthday <= 7', '"vip" in segments',
    'recent["view_item"] > 1.5', 'daysSinceOrder < 30.0 ? points > 10 : level > 2', 'orders > 2.5',
  ]) t.ok(matches(source), source);
  for (const source of ['orders < 3', 'lifecycle == "churned"', '"books" in categories', 'riskScore > 0.5', 'consent["sms"]']) t.notOk(matches(source), source);
});

await t.test('what cannot be told of a shopper does not match, and does not throw', async (t) => {
  const nobody: PortraitDocument = { ...ann, daysSinceOrder: undefined, priceLevel: undefined };
  for (const source of ['daysSinceOrder > 1.0', '!(daysSinceOrder > 1.0)', 'categories["books"] > 1.0', 'attributes.gender == "f"', 'orders / (orders - orders) > 1', 'attributes.region > 3']) {
    t.notOk(matches(source, nobody), source);
  }
  t.ok(matches('daysSinceOrder > 1.0 || orders > 2', nobody), 'the other side of an or still counts');
  for (const source of [
    '!(daysSinceOrder > 1.0 && orders > 99)', 'orders > 2 ? orders > 3 : daysSinceOrder > 1.0', '!has(attributes.gender) && orders > 2', 'badges.exists(b, b == "reviewer" || attributes.gender == "f")',
    '["x"].filter(x, x == "y").all(y, attributes.gender == "f")', '!("books" in categories) && (orders > 2 || priceLevel > 1.0)', '(priceLevel > 1.0 || true) == true',
  ]) t.ok(matches(source, nobody), source);
});

await t.test('a fault is named with its position', async (t) => {
  for (const [source, line, column, message] of [
    ['orders >', 1, 9, /Unexpected token/u],
    ['orders > 2 &&\n  lifecycel == "new"', 2, 3, /lifecycel, which the portrait does not have/u],
    ['orders > "2"', 1, 1, /no such overload: int > string/u],
    ['orders > 9223372036854775808', 1, 10, /more than 64 bits/u],
    ['orders', 1, 1, /of type int, not bool/u],
    ['lifecycle.matches("(a+)+b")', 1, 1, /matches\(\), which is not among/u],
    ['orders > 1 && cel.bind(a, 2, a > 1)', 1, 15, /cel, which/u],
    ['badges.map(b, b + b).size() > 1', 1, 1, /map\(\), which is not among/u],
    ['badges.exists(badges, true)', 1, 15, /badges for two things/u],
    ['orders > 1 && [1, 2].exists(a, badges.exists(b, segments.exists(c, c == b)))', 1, 15, /may take \d+ steps/u],
    ['"a".exists(b, true)', 1, 1, /iterates over something other/u],
    ['{"a": 1}["a"] == orders', 1, 1, /makes a map/u],
    ['orders in [1, [2]]', 1, 15, /list within a list/u],
    ['size(orders, orders) == 1', 1, 1, /with 2 arguments instead of 1/u],
  ] as const) {
    const fault = faultOf(source);
    t.match(fault, { code: 'invalid_expression', statusCode: 400, message }, source);
    t.match(fault.toJSON().position, { line, column }, source);
  }
  t.match(faultOf('"vip" in segments', ['segments']).message, /reads segments, which is not known/u);
  t.match(faultOf(`orders > ${'1'.repeat(3000)}`).message, /longer than 2000/u);
  t.match(faultOf(`${'!'.repeat(1500)}true`).message, /Exceeded maxAstNodes/u);
  t.match(faultOf(`${'('.repeat(500)}true`).message, /Exceeded maxDepth/u);
  t.equal(faultOf('').position.offset, 0, 'nothing at all is refused, too');
});

await t.test('it says which fields it reads, and whether time alone can change it', async (t) => {
  const bySum = compileExpression('orders > 2 && badges.exists(b, b == "x")');
  t.same([...bySum.fields], ['orders', 'badges']);
  t.notOk(bySum.ages);
  t.ok(compileExpression('orders > 2 || lifecycle == "dormant"').ages);
});
