import type { Random } from '../../src/util/random.js';

/** Ways to lose a connection, and how often each comes, in parts of 100. */
export const CUTS = {
  /** The client ends it. */
  closed: 30,
  /** The client's system resets it. */
  reset: 20,
  /** The client is gone without a word and comes back by another connection, the old one being half open for a while. */
  deserted: 10,
  /** A proxy on the way holds everything up, then cuts all its connections in the middle of whatever they say. */
  proxy: 15,
  /** The engine ends it: the client broke the protocol. */
  refused: 10,
  /** While subscriptions are under way. */
  subscribing: 10,
  /** The client stays away until more was published than a log keeps. */
  away: 5,
} as const;
export type CutKind = keyof typeof CUTS;

export interface Cut {
  readonly kind: CutKind;
  /** Which viewer, or the next one that has a connection; or which proxy. */
  readonly at: number;
  /** How long what lasts lasts, as a part of its limit. */
  readonly share: number;
}

const SUM = Object.values(CUTS).reduce((sum, weight) => sum + weight, 0);

/** The next cut. */
export function nextCut(random: Random): Cut {
  let chance = random() * SUM;
  const kind = (Object.keys(CUTS) as CutKind[]).find((name) => (chance -= CUTS[name]) < 0) ?? 'closed';
  return { kind, at: Math.floor(random() * 2 ** 31), share: random() };
}
