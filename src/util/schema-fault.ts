import { Compile, Errors } from 'typebox/schema';
import type { TSchema } from './type.js';

/** A compiled schema that says in words what does not fit, naming the field. */
export interface Checker {
  readonly check: (value: unknown) => boolean;
  /** The first fault, e.g. `items.3.price must be >= 0.`; for a value that did not pass. */
  readonly fault: (value: unknown) => string;
}

/** @param what how the whole value is called in messages: `event`, `body` */
export function makeChecker(schema: TSchema, what: string): Checker {
  const compiled = Compile(schema);
  return { check: (value) => compiled.Check(value), fault: (value) => faultOf(schema, value, [], what) };
}

/** @param at where the value is within the whole */
function faultOf(schema: TSchema, value: unknown, at: readonly string[], what: string): string {
  const [, faults] = Errors(schema, value);
  const fault = tellingOf(faults);
  if (fault === undefined) return `The ${[what, ...at].join('.')} does not fit its schema.`;
  const choice = choiceOf(schema, value, fault);
  if (choice !== undefined) return faultOfChoice(choice, [...at, ...choice.at], what);
  const path = [...at, ...partsOf(fault.instancePath)].join('.');
  const { params } = fault;
  const message = messageOf(schema, fault);
  if (fault.schemaPath.endsWith('/propertyNames')) return `A name in ${[...at, ...partsOf(fault.instancePath).slice(0, -1)].join('.')} ${message}.`;
  if ('requiredProperties' in params) {
    const names = params.requiredProperties.map((name) => (path === '' ? name : `${path}.${name}`));
    return `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} missing.`;
  }
  if ('additionalProperties' in params) {
    const name = params.additionalProperties.map(String).join(', ').slice(0, 100);
    return `${[path, name].filter((part) => part !== '').join('.')} is not a known field.`;
  }
  // What no schema allows at this path: TypeBox compiles `additionalProperties: false` to the schema `false`.
  if (fault.keyword === 'boolean') return `${path.slice(0, 100)} is not a known field.`;
  if (fault.keyword === 'enum') return `${path || what} is not one of ${fault.params.allowedValues.join(', ')}.`;
  if (fault.keyword === 'anyOf') return `${path || what} is not one of the allowed values.`;
  return `${path || `The ${what}`} ${fault.keyword === 'type' ? `must be ${typesOf(faults, fault.instancePath).join(' or ')}` : message}.`;
}

/** @returns all that a value may be where it is of no type that it could have */
function typesOf(faults: readonly Fault[], instancePath: string): string[] {
  return faults.flatMap((fault) => (fault.keyword === 'type' && fault.instancePath === instancePath ? [fault.params.type].flat() : []));
}

type Fault = ReturnType<typeof Errors>[1][number];

/** @returns the first fault; of a value that is one thing or a list of them, what is wrong with the list rather than that it is one */
function tellingOf(faults: readonly Fault[]): Fault | undefined {
  const [first] = faults;
  if (first?.keyword !== 'type' || !first.schemaPath.includes('/anyOf/')) return first;
  return faults.find(({ keyword, instancePath }) => instancePath === first.instancePath && keyword !== 'type' && keyword !== 'anyOf') ?? first;
}

/** A place where one of several schemas of objects must fit, and none does. */
interface Choice {
  readonly branches: readonly TSchema[];
  readonly value: unknown;
  readonly at: readonly string[];
}

/** @returns the outermost choice that a fault is in, if it is in any */
function choiceOf(schema: TSchema, value: unknown, { schemaPath, instancePath }: { schemaPath: string; instancePath: string }): Choice | undefined {
  const steps = partsOf(schemaPath);
  const at = partsOf(instancePath);
  let [node, part, depth]: [unknown, unknown, number] = [schema, value, 0];
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]!;
    node = childOf(node, step);
    if (step === 'anyOf') {
      const branches = node as TSchema[];
      return branches.every((branch) => childOf(branch, 'properties') !== undefined) ? { branches, value: part, at: at.slice(0, depth) } : undefined;
    }
    if (step === 'properties') node = childOf(node, steps[++i]!);
    else if (step !== 'items' && step !== 'additionalProperties') continue;
    part = childOf(part, at[depth++] ?? '');
  }
  return undefined;
}

/** What is wrong by the branch that was meant: the one of that constant, e.g. of `kind`, else the one that knows most of its fields. */
function faultOfChoice({ branches, value }: Choice, at: readonly string[], what: string): string {
  const name = at.join('.') || `The ${what}`;
  const fields = branches.flatMap((branch) => Object.entries(propertiesOf(branch)));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `${name} must be object.`;
  const tag = fields.find(([, schema]) => childOf(schema, 'const') !== undefined)?.[0];
  if (tag !== undefined) {
    const allowed = fields.filter(([field]) => field === tag).map(([, schema]) => childOf(schema, 'const'));
    if (!allowed.includes(childOf(value, tag))) return `${[...at, tag].join('.')} ${tag in value ? 'is not' : 'is missing; it is'} one of ${allowed.join(', ')}.`;
  }
  const known = (branch: TSchema): number => {
    const properties = propertiesOf(branch);
    if (tag !== undefined && childOf(properties[tag], 'const') !== childOf(value, tag)) return -1;
    return Object.keys(value).filter((field) => Object.hasOwn(properties, field)).length;
  };
  return faultOf(branches.reduce((best, branch) => (known(branch) > known(best) ? branch : best)), value, at, what);
}

/** @returns what is wrong; where a form is described, in its words rather than by its pattern */
function messageOf(schema: TSchema, { keyword, schemaPath, message }: Fault): string {
  const words = keyword === 'pattern' ? childOf(partsOf(schemaPath).reduce<unknown>(childOf, schema), 'description') : undefined;
  return typeof words === 'string' ? `must be ${words}` : message;
}

const partsOf = (pointer: string): string[] => pointer.split('/').slice(1);
const propertiesOf = (schema: TSchema): Readonly<Record<string, unknown>> => (childOf(schema, 'properties') ?? {}) as Record<string, unknown>;
const childOf = (node: unknown, key: string): unknown =>
  (typeof node === 'object' && node !== null && Object.hasOwn(node, key) ? (node as Record<string, unknown>)[key] : undefined);
