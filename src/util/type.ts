import type { TSchema, TSchemaOptions, TStringOptions, Type as TypeBox } from 'typebox';

export type { Static, TObject, TSchema, TStringOptions } from 'typebox';

type Used = 'Array' | 'Boolean' | 'Enum' | 'Integer' | 'Literal' | 'Null' | 'Number' | 'Object' | 'Optional' | 'Record' | 'String' | 'Union' | 'Unknown';
type Options = TSchemaOptions;
type Properties = Readonly<Record<string, TSchema>>;

/** Schemas of properties that may be missing. */
const optional = new WeakSet<TSchema>();

/**
 * The builders of TypeBox that our schemas are made of, with its types and its results. Its own come in 470 modules,
 * which cost every process four tenths of a second of CPU when it starts.
 */
export const Type = {
  Array: (items: TSchema, options?: Options) => ({ type: 'array', items, ...options }),
  Boolean: (options?: Options) => ({ type: 'boolean', ...options }),
  Enum: (values: readonly unknown[], options?: Options) => ({ enum: values, ...options }),
  Integer: (options?: Options) => ({ type: 'integer', ...options }),
  Literal: (value: string | number | boolean, options?: Options) => ({ type: typeof value, const: value, ...options }),
  Null: (options?: Options) => ({ type: 'null', ...options }),
  Number: (options?: Options) => ({ type: 'number', ...options }),
  Object: (properties: Properties, options?: Options) => {
    const required = Object.keys(properties).filter((name) => !optional.has(properties[name]!));
    return { type: 'object', ...(required.length > 0 ? { required } : {}), properties, ...options };
  },
  Optional: (schema: TSchema) => {
    const copy = { ...schema };
    optional.add(copy);
    return copy;
  },
  Record: ({ pattern = '^.*$' }: TStringOptions, value: TSchema, options?: Options) => ({ type: 'object', patternProperties: { [String(pattern)]: value }, ...options }),
  String: (options?: Options) => ({ type: 'string', ...options }),
  Union: (anyOf: readonly TSchema[], options?: Options) => ({ anyOf, ...options }),
  Unknown: (options?: Options) => ({ ...options }),
} as unknown as Pick<typeof TypeBox, Used>;
