import { Type, type TSchema, type TStringOptions } from '../util/type.js';

/**
 * The schema of values by names of a client's choosing. A record of TypeBox looks at no value whose name does not match its
 * pattern, and at no length of names; so this pattern matches them all, and what a name may be is said apart.
 */
export const namedValues = <Value extends TSchema>(name: TStringOptions, value: Value, maxProperties: number) =>
  Type.Record(Type.String({ pattern: '^[\\s\\S]*$' }), value, { propertyNames: { type: 'string', ...name }, maxProperties });
