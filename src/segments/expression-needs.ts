import type { ASTNode } from '@marcbachmann/cel-js';
import { isPortraitField, type PortraitDocument, type PortraitFieldName } from '../profile/portrait-schema.js';

/** A field that must have a value, and, with a key, a map that must have that. */
export interface Need {
  readonly field: PortraitFieldName;
  readonly key: string | undefined;
}

/**
 * What an expression cannot be true without. To look is a hundred times cheaper than to let the evaluation fail over it,
 * and that a shopper has no such interest or attribute is the usual case.
 */
export function needsOf(ast: ASTNode): Need[] {
  const needs = new Map<string, Need>();
  for (const part of conjuncts(ast)) noteStrict(part, (field, key) => { needs.set(`${field}\n${key ?? ''}`, { field, key }); });
  return [...needs.values()];
}

export const areMet = (needs: readonly Need[], document: PortraitDocument): boolean => needs.every(({ field, key }) => {
  const value = document[field];
  return value !== undefined && (key === undefined || (value instanceof Map && value.has(key)));
});

/** @returns the parts that must all be true */
const conjuncts = (node: ASTNode): ASTNode[] => (node.op === '&&' ? node.args.flatMap(conjuncts) : [node]);

type Note = (field: PortraitFieldName, key: string | undefined) => void;

/** Notes what is read in any case, and fails the whole when it is not there; of `a || b` and the like nothing can be said. */
function noteStrict(node: ASTNode, note: Note): void {
  const all = (nodes: readonly ASTNode[]): void => { for (const part of nodes) noteStrict(part, note); };
  switch (node.op) {
    case 'value': case '&&': case '||': case 'map': break;
    case 'id':
      if (isPortraitField(node.args)) note(node.args, undefined);
      break;
    case '.': noteKey(node.args[0], node.args[1], note); break;
    case '[]': {
      const [map, key] = node.args;
      if (key.op === 'value' && typeof key.args === 'string') noteKey(map, key.args, note);
      else all(node.args);
      break;
    }
    case 'call':
      if (node.args[0] !== 'has') all(node.args[1]);
      break;
    case 'rcall':
      // A loop's body is perhaps never run.
      all(LOOPS.has(node.args[0]) ? [node.args[1]] : [node.args[1], ...node.args[2]]);
      break;
    case '!_': case '-_': noteStrict(node.args, note); break;
    case '?:': noteStrict(node.args[0], note); break;
    case 'list': case 'in': case '==': case '!=': case '<': case '<=': case '>': case '>=': case '+': case '-': case '*': case '/': case '%': all(node.args); break;
    default: break; // optional access: not in the language
  }
}

function noteKey(map: ASTNode, key: string, note: Note): void {
  if (map.op === 'id' && isPortraitField(map.args)) note(map.args, key);
  else noteStrict(map, note);
}

/** Methods that run their second argument for each entry of what they are called on. */
export const LOOPS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'filter']);
