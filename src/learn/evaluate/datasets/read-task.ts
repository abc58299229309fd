import { basename, resolve } from 'node:path';
import { AppError } from '../../../errors.js';
import type { Task } from '../../task.js';
import { INVOICE_COLUMNS, readInvoices } from './invoices.js';
import { ATTRIBUTE_COLUMNS, readSequences, SEQUENCE_COLUMNS } from './sequences.js';
import { PREFIX_COLUMNS, readSessions, SESSION_COLUMNS } from './sessions.js';
import { COMPLETE_JOURNEY, HILLSTROM } from './response-sets.js';
import type { TableListener } from './table.js';
import { tablesOf } from './tables.js';

const EXPECTED = [
  `sequences (${SEQUENCE_COLUMNS.join(',')}) with or without item attributes (${ATTRIBUTE_COLUMNS.join(',')})`,
  `sessions (${SESSION_COLUMNS.join(',')}) and prefixes of later ones (${PREFIX_COLUMNS.join(',')})`,
  `invoices (${INVOICE_COLUMNS.join(',')})`,
  ...[COMPLETE_JOURNEY, HILLSTROM].map(({ what, tables }) => `${what} (${Object.values(tables).map((columns) => columns.join(',')).join(' and ')})`),
].join('; ');

/**
 * Reads a folder of CSV tables (plain or `.gz`) as a task. Which protocol it is, is known by the tables' columns.
 * @throws AppError `invalid_request` when no table is known, one is mostly corrupt, or there is nothing to learn or to ask
 */
export async function readTask(folder: string, on: TableListener = {}): Promise<Task> {
  const task = await read(folder, on);
  const { interactions, test, name } = task;
  if (interactions.item.length === 0) throw new AppError('invalid_request', `${name} has no events: there is nothing to learn from.`);
  if (test.questions.length === 0) throw new AppError('invalid_request', `${name} has nothing to ask: nobody did anything that could be foretold from what came before.`);
  return task;
}

async function read(folder: string, on: TableListener): Promise<Task> {
  const name = basename(resolve(folder));
  const tables = await tablesOf(folder, EXPECTED);
  const withColumns = (columns: readonly string[]): string | undefined =>
    tables.find(({ header }) => columns.every((column) => header.includes(column)))?.path;
  const events = withColumns(SEQUENCE_COLUMNS);
  if (events !== undefined) return readSequences(name, { events, attributes: withColumns(ATTRIBUTE_COLUMNS) }, on);
  const train = withColumns(SESSION_COLUMNS);
  const prefixes = withColumns(PREFIX_COLUMNS);
  if (train !== undefined && prefixes !== undefined) return readSessions(name, { train, prefixes }, on);
  const invoices = withColumns(INVOICE_COLUMNS);
  if (invoices !== undefined) return readInvoices(name, invoices, on);
  const found = tables.map(({ path, header }) => `${basename(path)} (${header.join(',')})`).join('; ') || 'no .csv or .csv.gz';
  throw new AppError('invalid_request', `${folder} is not a data set that is known. Expected ${EXPECTED}. Found: ${found}.`);
}
