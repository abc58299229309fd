import type { Random } from '../../src/util/random.js';

/** As much of JSON Schema as the frames of clients are made of. */
interface Schema {
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minItems?: number;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

export interface ValueOptions {
  readonly random: Random;
  /** What strings are, e.g. ids that mean something. */
  readonly text: () => string;
  /** Values where anything goes. */
  readonly anything: () => unknown;
}

const MORE_ITEMS = 3;
const WHOLE_MAX = 100;

/** A value that fits a schema, nearly always: enough for frames that get past the first look. */
export function valueOf(schema: object, options: ValueOptions): unknown {
  const { random, text, anything } = options;
  const { const: constant, enum: choices, anyOf, type, properties = {}, required = [], items, minItems = 0, minLength = 0, minimum = 0, maximum = WHOLE_MAX }: Schema = schema;
  const one = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  if (constant !== undefined) return constant;
  if (choices !== undefined) return one(choices);
  if (anyOf !== undefined) return valueOf(one(anyOf), options);
  switch (type) {
    case 'object': {
      const names = Object.keys(properties).filter((name) => required.includes(name) || random() < 0.5);
      return Object.fromEntries(names.map((name) => [name, valueOf(properties[name]!, options)]));
    }
    case 'array': return Array.from({ length: minItems + Math.floor(random() * MORE_ITEMS) }, () => (items === undefined ? anything() : valueOf(items, options)));
    case 'string': return text().padEnd(minLength, 'x');
    case 'integer': return Math.floor(minimum + random() * (Math.min(maximum, minimum + WHOLE_MAX) - minimum + 1));
    case 'number': return minimum + random() * (Math.min(maximum, minimum + WHOLE_MAX) - minimum);
    case 'boolean': return random() < 0.5;
    default: return anything();
  }
}
