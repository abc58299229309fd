import type { GrowthRules } from '../domain/growth.js';
import { periodOf } from '../growth/fold.js';
import { DEFAULT_RULES, prepareRules, type PreparedRules } from '../growth/prepared-rules.js';
import { hasDay, streakOf } from '../growth/streak.js';
import type { GrowthStore } from '../redis/growth-store.js';
import { dayIn, nameOfDay } from '../util/calendar.js';
import type { GrowthLedger } from './growth-ledger.js';

/** Growth as shoppers and operators see it, and the rules of it. */
export class GrowthDesk {
  constructor(private readonly ledger: GrowthLedger, private readonly store: GrowthStore) {}

  async describe(shopper: string, cursor: string, limit: number): Promise<Record<string, unknown>> {
    const { shopper: owner, state, context: { rules, timezone, now }, isFlagged } = await this.ledger.read(shopper);
    const page = await this.store.ledger(owner, cursor, limit);
    const today = dayIn(now, timezone);
    const streak = streakOf(state.runs, today);
    const [level, next] = [rules.levels[state.level - 1], rules.levels[state.level]];
    return {
      points: state.points,
      level: { number: state.level, ...level === undefined ? {} : { title: level.title }, ...next === undefined ? {} : { nextAt: next.points, nextTitle: next.title } },
      badges: rules.badges.filter(({ id }) => id in state.badges).map(({ id, title }) => ({ id, title, since: new Date(state.badges[id]!).toISOString() })),
      streak: { days: streak.days, longest: streak.longest, checkedInToday: hasDay(state.runs, today), ...streak.lastDay === undefined ? {} : { lastDay: nameOfDay(streak.lastDay) } },
      tasks: rules.tasks.map(({ id, title, on, times, period, points }) => {
        const done = state.pots[`task:${id}:${periodOf(period, today)}`]?.n ?? 0;
        return { id, title, on, period, points, times, done: Math.min(done, times), isDone: done >= times };
      }),
      ...isFlagged ? { suspended: 'flagged as a risk: nothing is earned; see /risk' } : {},
      ledger: page.entries.map(({ at, ...entry }) => ({ ...entry, at: new Date(at).toISOString() })),
      ...page.cursor === '' ? {} : { cursor: page.cursor },
    };
  }

  /** @returns the rules as they are stored: those of a process may be a second older */
  async rules(): Promise<Omit<PreparedRules, 'expressions'>> {
    const stored = await this.store.rules();
    return stored === undefined ? { version: 0, rules: DEFAULT_RULES.rules } : { version: stored.version, rules: JSON.parse(stored.json) as GrowthRules };
  }

  /** Replaces all of them; they count within a second. @throws AppError `invalid_request`, `invalid_expression` */
  async putRules(rules: GrowthRules): Promise<Omit<PreparedRules, 'expressions'>> {
    prepareRules(rules, 0);
    await this.store.putRules(JSON.stringify(rules));
    return this.rules();
  }
}
