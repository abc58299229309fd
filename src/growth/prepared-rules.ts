import { DEFAULT_GROWTH_RULES, type GrowthRules } from '../domain/growth.js';
import { AppError } from '../errors.js';
import { compileExpression, type Expression } from '../segments/expression.js';

/** Rules with the badges' expressions compiled. */
export interface PreparedRules {
  /** Counts the operators' changes; 0: those that come with the engine. */
  readonly version: number;
  readonly rules: GrowthRules;
  /** By badge. */
  readonly expressions: ReadonlyMap<string, Expression>;
}

/** @throws AppError `invalid_request` saying what does not fit; ExpressionError where a badge's expression is at fault */
export function prepareRules(rules: GrowthRules, version: number): PreparedRules {
  for (const kind of ['rules', 'tasks', 'badges'] as const) {
    const ids = rules[kind].map(({ id }) => id);
    const twice = ids.find((id, i) => ids.indexOf(id) !== i);
    if (twice !== undefined) throw bad(`${kind} has ${twice} twice; give each an id of its own`);
  }
  rules.levels.forEach(({ points }, i) => {
    if (i > 0 && points <= rules.levels[i - 1]!.points) throw bad(`levels.${i}.points is not above that of the level before; list them from the lowest`);
  });
  for (const { id, on, times, points, streakDays, expression } of rules.badges) {
    if (on === undefined && points === undefined && streakDays === undefined && expression === undefined) throw bad(`badge ${id} says nothing of what it is for; give it on, points, streakDays or expression`);
    if (times !== undefined && on === undefined) throw bad(`badge ${id} has times but not of what; add on`);
  }
  const expressions = rules.badges.flatMap(({ id, expression }) => (expression === undefined ? [] : [[id, compileExpression(expression)] as const]));
  return { version, rules, expressions: new Map(expressions) };
}

export const DEFAULT_RULES: PreparedRules = prepareRules(DEFAULT_GROWTH_RULES, 0);

const bad = (fault: string): AppError => new AppError('invalid_request', `${fault}.`);
