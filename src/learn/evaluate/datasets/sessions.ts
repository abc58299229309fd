import type { Interactions, Question, Split, Task } from '../../task.js';
import { idFault, LogCollector } from './collect.js';
import { readTable, type TableListener } from './table.js';

/**
 * Click sessions in time order, and prefixes of later sessions with their next item, like tmall-sessions: next click.
 * The latest training sessions teach and validate: the log is one of its time, so what comes nearest to the test is
 * most like it.
 */
export const SESSION_COLUMNS = ['session_id', 'item_ids'] as const;
export const PREFIX_COLUMNS = ['prefix_id', 'item_ids', 'target_item_id'] as const;

/** Shares of the training sessions held out to fit the ranker and to validate. */
const HELD_OUT = { fit: 0.1, validation: 0.05 } as const;
/** The tables have no times: the training sessions are spread evenly over so many days up to a fixed day; clicks are a minute apart. */
const SPAN_MS = 90 * 86_400_000;
const UNTIL_MS = Date.UTC(2025, 0, 1);
const CLICK_MS = 60_000;

interface Asked { readonly shopper: number; readonly history: number; readonly target: number }

export async function readSessions(name: string, files: { readonly train: string; readonly prefixes: string }, on: TableListener): Promise<Task> {
  const log = new LogCollector();
  const sessions: number[][] = [];
  await readTable(files.train, SESSION_COLUMNS, ([session = '', ids = '']) => {
    const items = itemsOf(ids);
    const fault = idFault('session_id', session) ?? itemFault(items);
    if (fault === undefined) sessions.push(items.map((id) => log.item(id)));
    return fault;
  }, on);
  sessions.forEach((items, i) => { addSession(log, items, UNTIL_MS - SPAN_MS * (1 - i / sessions.length)); });
  const trained = sessions.length;
  const asked = await readPrefixes(files.prefixes, log, on);
  const { items, interactions, indexOf } = log.finish('view_item');
  const validationFrom = Math.ceil(trained * (1 - HELD_OUT.validation));
  const fitFrom = Math.ceil(trained * (1 - HELD_OUT.validation - HELD_OUT.fit));
  return {
    name, protocol: 'next-click', items, interactions, excludeHistory: false,
    fits: [holdOut(interactions, fitFrom, validationFrom)],
    validation: holdOut(interactions, validationFrom, trained),
    test: {
      known: knownUntil(interactions, trained),
      questions: asked.map(({ shopper, history, target }) => ({ shopper, history, at: interactions.at[interactions.offsets[shopper]! + history]!, wanted: [indexOf[target]!] })),
    },
  };
}

/** Test sessions come as all their prefixes, longest first: those that continue each other are one shopper. */
async function readPrefixes(path: string, log: LogCollector, on: TableListener): Promise<Asked[]> {
  const asked: Asked[] = [];
  const sessions: number[][] = [];
  await readTable(path, PREFIX_COLUMNS, ([prefix = '', ids = '', target = '']) => {
    const items = itemsOf(ids);
    const fault = idFault('prefix_id', prefix) ?? itemFault(items) ?? idFault('target_item_id', target);
    if (fault !== undefined) return fault;
    const clicks = [...items, target].map((id) => log.item(id));
    const last = sessions.at(-1);
    if (last === undefined || !clicks.every((item, i) => last[i] === item)) sessions.push(clicks);
    asked.push({ shopper: sessions.length - 1, history: items.length, target: clicks.at(-1)! });
    return undefined;
  }, on);
  const shoppers = sessions.map((clicks) => addSession(log, clicks, UNTIL_MS));
  return asked.map((one) => ({ ...one, shopper: shoppers[one.shopper]! }));
}

function addSession(log: LogCollector, items: readonly number[], from: number): number {
  const shopper = log.newShopper();
  items.forEach((item, i) => { log.add(shopper, item, Math.floor(from / 1000) * 1000 + i * CLICK_MS); });
  return shopper;
}

const itemsOf = (ids: string): string[] => ids.split(' ').filter((id) => id !== '');
const itemFault = (ids: readonly string[]): string | undefined =>
  (ids.length === 0 ? 'item_ids is empty' : ids.map((id) => idFault('an item id', id)).find((fault) => fault !== undefined));

/** Every prefix of the sessions [from, to) asks for its next item; only what came before them is known. */
function holdOut(log: Interactions, from: number, to: number): Split {
  const questions: Question[] = [];
  for (let shopper = from; shopper < to; shopper++) {
    for (let event = log.offsets[shopper]! + 1; event < log.offsets[shopper + 1]!; event++) {
      questions.push({ shopper, history: event - log.offsets[shopper]!, at: log.at[event]!, wanted: [log.item[event]!] });
    }
  }
  return { known: knownUntil(log, from), questions };
}

/** All events of the shoppers before one. */
const knownUntil = ({ shoppers, offsets }: Interactions, until: number): Uint32Array =>
  Uint32Array.from({ length: shoppers }, (_, s) => (s < until ? offsets[s + 1]! - offsets[s]! : 0));
