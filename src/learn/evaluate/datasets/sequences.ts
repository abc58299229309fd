import type { Interactions, Question, Split, Task } from '../../task.js';
import { asTags, idFault, LogCollector } from './collect.js';
import { readTable, type TableListener } from './table.js';

/**
 * Sequences with a `position`, like amazon-beauty: leave-one-out. A shopper's last event is the test, the one before
 * validation, the rest training, whose own last event teaches the ranker. Nothing may be recommended twice.
 */
export const SEQUENCE_COLUMNS = ['user_id', 'position', 'item_id', 'unix_time'] as const;
export const ATTRIBUTE_COLUMNS = ['item_id', 'attribute_ids'] as const;

export async function readSequences(
  name: string, files: { readonly events: string; readonly attributes?: string | undefined }, on: TableListener,
): Promise<Task> {
  const log = new LogCollector();
  await readTable(files.events, SEQUENCE_COLUMNS, ([user = '', position = '', item = '', time = '']) => {
    const place = Number(position);
    const at = Number(time) * 1000;
    if (position === '' || !Number.isInteger(place) || place < 0) return 'position is no whole number';
    if (time === '' || !Number.isSafeInteger(Math.round(at)) || at < 0) return 'unix_time is no time';
    const fault = idFault('user_id', user) ?? idFault('item_id', item);
    if (fault === undefined) log.add(log.shopper(user), log.item(item), at, place);
    return fault;
  }, on);
  if (files.attributes !== undefined) await readAttributes(files.attributes, log, on);
  const { items, interactions } = log.finish('review');
  return {
    name, protocol: 'leave-one-out', items, interactions, excludeHistory: true,
    fits: [leaveOut(interactions, { known: 3, asked: 3, historyMin: 1 })],
    validation: leaveOut(interactions, { known: 2, asked: 2, historyMin: 1 }),
    test: leaveOut(interactions, { known: 2, asked: 1, historyMin: 1 }),
  };
}

function readAttributes(path: string, log: LogCollector, on: TableListener): Promise<void> {
  return readTable(path, ATTRIBUTE_COLUMNS, ([item = '', attributes = '']) => {
    const fault = idFault('item_id', item);
    if (fault === undefined) log.describe(log.item(item), { tags: asTags(attributes.split(' ')) });
    return fault;
  }, on);
}

/**
 * @param known events from the end that statistics may not see
 * @param asked event from the end that is asked for
 * @param historyMin shoppers with a shorter history are not asked
 */
function leaveOut(log: Interactions, { known, asked, historyMin }: { known: number; asked: number; historyMin: number }): Split {
  const { offsets, item, at } = log;
  const split = { known: new Uint32Array(log.shoppers), questions: [] as Question[] };
  for (let shopper = 0; shopper < log.shoppers; shopper++) {
    const from = offsets[shopper]!;
    const length = offsets[shopper + 1]! - from;
    split.known[shopper] = Math.max(0, length - known);
    const history = length - asked;
    if (history < historyMin) continue;
    const event = from + history;
    split.questions.push({ shopper, history, at: at[event]!, wanted: [item[event]!] });
  }
  return split;
}
