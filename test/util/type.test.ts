import t from 'tap';
import { Type as TypeBox, type Static } from 'typebox';
import { Type } from '../../src/util/type.js';

/** One of everything, with and without options. */
const schemaBy = (build: typeof Type) => {
  const strict = { additionalProperties: false };
  const name = build.String({ minLength: 1, pattern: '^[a-z]+$' });
  return build.Object({
    name, title: build.Optional(name), text: build.String(), count: build.Integer({ minimum: 0 }), share: build.Number(), isOpen: build.Boolean({ description: 'Open?' }),
    kind: build.Enum(['a', 'b']), tag: build.Literal('x'), level: build.Literal(3), isSo: build.Literal(true, { description: 'Yes' }),
    list: build.Array(build.Union([name, build.Null()]), { maxItems: 3 }), bare: build.Array(build.Unknown()),
    nothing: build.Object({}), maybe: build.Object({ one: build.Optional(build.Integer()) }, strict),
    map: build.Record(build.String(), build.Unknown({ description: 'Anything' })), named: build.Record(name, build.Number(), { maxProperties: 4 }),
    either: build.Optional(build.Union([build.Number(), build.Boolean()], { description: 'Either' })),
  }, strict);
};

await t.test('what is built is what TypeBox builds, to the order of its keys', async (t) => {
  const ours = schemaBy(Type);
  t.equal(JSON.stringify(ours), JSON.stringify(schemaBy(TypeBox)));
  t.notOk(ours.required.includes('title' as never), 'what is optional may be missing');
  const maybe: Static<typeof ours>['maybe'] = {};
  t.same(maybe, {}, 'for the compiler too');
});
