import type { Random } from '../../util/random.js';
import type { Interactions } from '../task.js';

/** Events no further apart were one moment, a basket say: the readers of tables set ties a second apart. */
const MOMENT_MS = 1000;

/** The event that is wanted as of an event, or −1 when none is known. */
export type WantedAt = (event: number, random: Random) => number;

/** Of each event, the next one. */
export function nextEvent(log: Interactions, known: Uint32Array): WantedAt {
  const last = lastKnown(log, known);
  return (event) => (event < last[event]! ? event + 1 : -1);
}

/** Of each event, any of the next basket: the order within a basket says nothing. */
export function nextBasket(log: Interactions, known: Uint32Array): WantedAt {
  const last = lastKnown(log, known);
  const { at } = log;
  /** Per event: the last of its basket. */
  const ends = new Uint32Array(at.length);
  for (let event = at.length - 1; event >= 0; event--) {
    const isWithin = event < last[event]! && at[event + 1]! - at[event]! <= MOMENT_MS;
    ends[event] = isWithin ? ends[event + 1]! : event;
  }
  return (event, random) => {
    const next = ends[event]! + 1;
    return next > last[event]! ? -1 : next + Math.floor(random() * (ends[next]! - next + 1));
  };
}

/** Per event, the last known one of its shopper; of events that are not known, themselves. */
function lastKnown({ shoppers, offsets, item }: Interactions, known: Uint32Array): Uint32Array {
  const last = Uint32Array.from(item, (_, event) => event);
  for (let shopper = 0; shopper < shoppers; shopper++) {
    const begin = offsets[shopper]!;
    last.fill(begin + known[shopper]! - 1, begin, begin + known[shopper]!);
  }
  return last;
}
