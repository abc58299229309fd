import type { ASTNode } from '@marcbachmann/cel-js';
import { isPortraitField, portraitField, type PortraitFieldName } from '../profile/portrait-schema.js';
import { LOOPS } from './expression-needs.js';
import { ExpressionError, positionIn } from './expression-error.js';

/** Steps of an evaluation, each a node that is run; some 50 ns. */
export const EXPRESSION_COST_MAX = 5000;

/**
 * Functions and methods by number of arguments. None runs a regular expression, and none gives a value a name or passes it
 * on from one iteration to the next: so a text or a list is never longer than what it was made of by `+`.
 */
const FUNCTIONS: Readonly<Record<string, number>> = { has: 1, size: 1, double: 1, int: 1, string: 1, weight: 2 };
const METHODS: Readonly<Record<string, number>> = { size: 0, contains: 1, startsWith: 1, endsWith: 1, lowerAscii: 0, upperAscii: 0 };

/**
 * Reckons what evaluating an expression costs at most, by the sizes that its lists and the portrait's can have, as CEL's
 * cost estimation does (google/cel-spec, "Performance"); and refuses what is not needed to ask about a shopper and could
 * make it unbounded.
 * @returns the fields it reads
 * @throws ExpressionError
 */
export function surveyExpression(ast: ASTNode, source: string, without: readonly PortraitFieldName[]): Set<PortraitFieldName> {
  const survey = new Survey(source, new Set(without));
  const cost = survey.costOf(ast, new Set());
  if (cost > EXPRESSION_COST_MAX) survey.refuse(`may take ${cost} steps, more than ${EXPRESSION_COST_MAX}: iterate over less, or not within an iteration`, survey.dearest ?? ast);
  return survey.fields;
}

class Survey {
  readonly fields = new Set<PortraitFieldName>();
  /** The outermost loop that costs most. */
  dearest: ASTNode | undefined;
  #dearestCost = 0;

  constructor(private readonly source: string, private readonly without: ReadonlySet<string>) {}

  refuse(fault: string, node: ASTNode): never {
    throw new ExpressionError(fault, positionIn(this.source, node.start));
  }

  /** @param names variables of the loops around the node */
  costOf(node: ASTNode, names: ReadonlySet<string>): number {
    switch (node.op) {
      case 'value': return this.#value(node, node.args);
      case 'id': return this.#name(node, node.args, names);
      case '.': return 1 + this.costOf(node.args[0], names);
      case 'call': return this.#call(node, node.args[0], node.args[1], FUNCTIONS, names);
      case 'rcall': return this.#method(node, node.args, names);
      case 'list': return this.#list(node.args, names);
      case 'in': return this.costOf(node.args[0], names) + this.costOf(node.args[1], names) + (this.#entriesOf(node.args[1]) ?? 1);
      case '!_': case '-_': return 1 + this.costOf(node.args, names);
      case '?:': case '[]': case '&&': case '||': case '==': case '!=': case '<': case '<=': case '>': case '>=': case '+': case '-': case '*': case '/': case '%':
        return this.#operands(node.args, names);
      default: return this.refuse('makes a map: compare with keys of the portrait\'s maps instead', node);
    }
  }

  #value(node: ASTNode, value: unknown): number {
    // Bytes and unsigned integers: nothing in a portrait is either.
    if (typeof value === 'object' && value !== null) this.refuse('has a literal that nothing can be compared with', node);
    if (typeof value === 'bigint' && BigInt.asIntN(64, value) !== value) this.refuse('has a whole number of more than 64 bits', node);
    return 1;
  }

  #name(node: ASTNode, name: string, names: ReadonlySet<string>): number {
    if (names.has(name)) return 1;
    if (!isPortraitField(name)) this.refuse(`names ${name}, which the portrait does not have`, node);
    if (this.without.has(name)) this.refuse(`reads ${name}, which is not known when it is evaluated`, node);
    this.fields.add(name);
    return 1;
  }

  #list(elements: readonly ASTNode[], names: ReadonlySet<string>): number {
    let cost = 1;
    for (const element of elements) {
      if (element.op === 'list') this.refuse('has a list within a list', element);
      cost += this.costOf(element, names);
    }
    return cost;
  }

  #operands(operands: readonly ASTNode[], names: ReadonlySet<string>): number {
    const entries = operands.map((operand) => this.#entriesOf(operand) ?? 0);
    return 1 + Math.max(...entries) + operands.reduce((sum, operand) => sum + this.costOf(operand, names), 0);
  }

  #call(node: ASTNode, name: string, args: readonly ASTNode[], known: Readonly<Record<string, number>>, names: ReadonlySet<string>): number {
    if (!Object.hasOwn(known, name)) this.refuse(`calls ${name}(), which is not among ${Object.keys(known).join(', ')}`, node);
    if (known[name] !== args.length) this.refuse(`calls ${name}() with ${args.length} arguments instead of ${known[name]}`, node);
    return args.reduce((sum, arg) => sum + this.costOf(arg, names), 1);
  }

  #method(node: ASTNode, [name, receiver, args]: readonly [string, ASTNode, readonly ASTNode[]], names: ReadonlySet<string>): number {
    const own = this.costOf(receiver, names);
    if (!LOOPS.has(name)) return own + this.#call(node, name, args, METHODS, names);
    const [variable, body] = args;
    if (variable?.op !== 'id' || body === undefined || args.length !== 2) this.refuse(`needs ${name}(name, condition)`, node);
    if (isPortraitField(variable.args) || names.has(variable.args)) this.refuse(`uses ${variable.args} for two things`, variable);
    const entries = this.#entriesOf(receiver) ?? this.refuse('iterates over something other than a list or a map of the portrait', receiver);
    const cost = own + 1 + entries * (2 + this.costOf(body, new Set([...names, variable.args])));
    if (cost > this.#dearestCost) {
      this.#dearestCost = cost;
      this.dearest = node;
    }
    return cost;
  }

  /** @returns the most entries it can have, undefined when it is no list or map as far as can be told */
  #entriesOf(node: ASTNode): number | undefined {
    if (node.op === 'list') return node.args.length;
    if (node.op === 'id') return isPortraitField(node.args) ? portraitField(node.args).entriesMax : undefined;
    if (node.op === 'rcall' && node.args[0] === 'filter') return this.#entriesOf(node.args[1]);
    if (node.op !== '?:' && node.op !== '+') return undefined;
    const [left, right] = node.args.slice(-2).map((part) => this.#entriesOf(part));
    if (left === undefined || right === undefined) return undefined;
    return node.op === '+' ? left + right : Math.max(left, right);
  }
}
