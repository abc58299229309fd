import type { TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';

/** A compiled schema that says in words what does not fit, naming the field. */
export interface Checker {
  readonly check: (value: unknown) => boolean;
  /** The first fault, e.g. `items.3.price must be >= 0.`; for a value that did not pass. */
  readonly fault: (value: unknown) => string;
}

/** @param what how the whole value is called in messages: `event`, `body` */
export function makeChecker(schema: TSchema, what: string): Checker {
  const compiled: Validator = Compile(schema);
  return {
    check: (value) => compiled.Check(value),
    fault: (value) => {
      const [fault] = compiled.Errors(value);
      if (fault === undefined) return `The ${what} does not fit its schema.`;
      const path = fault.instancePath.slice(1).replaceAll('/', '.');
      const { params } = fault;
      if ('requiredProperties' in params) return `${[path, params.requiredProperties.join(', ')].filter((part) => part !== '').join('.')} is missing.`;
      if ('additionalProperties' in params) {
        const name = params.additionalProperties.map(String).join(', ').slice(0, 100);
        return `${[path, name].filter((part) => part !== '').join('.')} is not a known field.`;
      }
      // What no schema allows at this path: TypeBox compiles `additionalProperties: false` to the schema `false`.
      if (fault.keyword === 'boolean') return `${path.slice(0, 100)} is not a known field.`;
      if (fault.keyword === 'enum' || fault.keyword === 'anyOf') return `${path || what} is not one of the allowed values.`;
      return `${path || `The ${what}`} ${fault.message}.`;
    },
  };
}
