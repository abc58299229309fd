import { Environment } from '@marcbachmann/cel-js';
import { AppError } from '../errors.js';
import { OFFER_LIMITS } from '../domain/offer.js';
import { PORTRAIT_FIELDS, portraitField, type PortraitDocument, type PortraitFieldName } from '../profile/portrait-schema.js';
import { ExpressionError, positionIn } from './expression-error.js';
import { areMet, needsOf } from './expression-needs.js';
import { surveyExpression } from './expression-cost.js';

/** Structural limits of an expression; what it may cost to evaluate: see `surveyExpression`. */
export const EXPRESSION_LIMITS = {
  charsMax: OFFER_LIMITS.expressionCharsMax,
  nodesMax: 300,
  depthMax: 24,
  listElementsMax: 100,
} as const;

/** An expression over the portrait, checked and compiled. */
export interface Expression {
  readonly source: string;
  /** Which fields of the portrait it reads. */
  readonly fields: ReadonlySet<PortraitFieldName>;
  /** Whether the mere passing of time can change its outcome. */
  readonly ages: boolean;
  /**
   * Never throws: an expression that cannot be evaluated for a shopper (a field without a value, a key that is not
   * there, a division by zero) does not match them, as a comparison with SQL's NULL would not.
   */
  matches(document: PortraitDocument): boolean;
}

/** The language remembers every name that is called in it, misspelt ones too: it is made anew after so many expressions. */
const EXPRESSIONS_PER_LANGUAGE = 200;
let language = makeLanguage();
let compiled = 0;

/**
 * Compiles an expression in CEL (Common Expression Language) over `PORTRAIT_FIELDS`. It costs little and a bounded
 * amount: no regular expressions, nothing that grows text or lists, iterations counted beforehand.
 * @param without fields that it must not read
 * @throws ExpressionError `invalid_expression` with the position of the fault
 */
export function compileExpression(source: string, { without = [] }: { without?: readonly PortraitFieldName[] } = {}): Expression {
  if (source.length > EXPRESSION_LIMITS.charsMax) {
    throw new ExpressionError(`is longer than ${EXPRESSION_LIMITS.charsMax} characters; use several segments`, positionIn(source, EXPRESSION_LIMITS.charsMax));
  }
  try {
    const evaluate = currentLanguage().parse(source);
    // Before the library's own check: it would remember types and names of whatever it meets.
    const fields = surveyExpression(evaluate.ast, source, without);
    const { valid, type, error } = evaluate.check();
    if (!valid) throw error ?? new Error('it does not fit the portrait');
    if (type !== 'bool') throw new ExpressionError(`is of type ${type ?? 'unknown'}, not bool: compare it with something`, positionIn(source, 0));
    const needs = needsOf(evaluate.ast);
    return {
      source, fields,
      ages: [...fields].some((field) => portraitField(field).ages === true),
      matches: (document) => {
        if (!areMet(needs, document)) return false;
        // Nobody reads where it failed: the trace would cost more than the expression does.
        const { stackTraceLimit } = Error;
        Error.stackTraceLimit = 0;
        try {
          return evaluate(document) === true;
        } catch {
          return false;
        } finally {
          Error.stackTraceLimit = stackTraceLimit;
        }
      },
    };
  } catch (error) {
    throw error instanceof AppError ? error : ExpressionError.from(error, source);
  }
}

function currentLanguage(): Environment {
  compiled += 1;
  if (compiled % EXPRESSIONS_PER_LANGUAGE === 0) language = makeLanguage();
  return language;
}

function makeLanguage(): Environment {
  const { nodesMax, depthMax, listElementsMax } = EXPRESSION_LIMITS;
  const made = new Environment({ limits: { maxAstNodes: nodesMax, maxDepth: depthMax, maxListElements: listElementsMax, maxCallArguments: 4, maxMapEntries: 1 } });
  for (const [name, { type }] of Object.entries(PORTRAIT_FIELDS)) made.registerVariable(name, type);
  // Of its own functions an environment keeps a table of its own; without any it would share one with all others.
  made.registerFunction('weight(map<string, double>, string): double', (weights: ReadonlyMap<string, number>, key: string) => weights.get(key) ?? 0);
  return made;
}
