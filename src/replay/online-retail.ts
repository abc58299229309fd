import { pipeline, type Readable } from 'node:stream';
import { parse } from 'csv-parse';
import type { EventInput } from '../domain/event.js';
import type { Item } from '../domain/item.js';
import { AppError } from '../errors.js';

/**
 * The table `online-retail` (UCI Machine Learning Repository, D. Chen 2015; CC BY 4.0): lines of a UK gift shop's invoices
 * and cancellations. Lines of a known customer with a quantity and a price above zero are purchases; lines of a
 * cancellation (its number begins with C) by a known customer are refunds; all others are left out. Times are taken as
 * UTC: the table does not say.
 */
const COLUMNS = ['InvoiceNo', 'StockCode', 'Description', 'Quantity', 'InvoiceDate', 'UnitPrice', 'CustomerID', 'Country'] as const;
type Row = Readonly<Record<(typeof COLUMNS)[number], string>>;

const CURRENCY = 'GBP';
const CATEGORY_ROOT = 'gifts';
const TITLE_CHARS_MAX = 512;

/** Events in the order of the table; a line's id is its invoice and its place in the table, so that a second replay counts nothing twice. */
export async function* readRetailEvents(text: Readable): AsyncGenerator<EventInput> {
  let line = 0;
  for await (const row of rows(text)) {
    line += 1;
    const event = eventOf(row, line);
    if (event !== undefined) yield event;
  }
}

/** Items with the price and title of their last sale; the category is the last word of the title, which in English names the thing. */
export async function readRetailItems(text: Readable): Promise<Item[]> {
  const items = new Map<string, Item>();
  for await (const row of rows(text)) if (eventOf(row, 0)?.type === 'purchase') items.set(row.StockCode, itemOf(row));
  return [...items.values()];
}

function eventOf(row: Row, line: number): EventInput | undefined {
  const quantity = Number(row.Quantity);
  const price = Number(row.UnitPrice);
  const isCancelled = row.InvoiceNo.startsWith('C');
  if (row.CustomerID === '' || !(price > 0) || (isCancelled ? !(quantity < 0) : !(quantity > 0))) return undefined;
  const units = Math.abs(quantity);
  return {
    id: `${row.InvoiceNo}-${line}`,
    type: isCancelled ? 'refund' : 'purchase',
    userId: row.CustomerID.replace(/\.0$/u, ''),
    itemId: row.StockCode,
    timestamp: `${row.InvoiceDate.replace(' ', 'T')}Z`,
    value: Math.round(units * price * 100) / 100,
    currency: CURRENCY,
    quantity: units,
    context: { region: row.Country },
  };
}

function itemOf(row: Row): Item {
  const title = row.Description.trim().slice(0, TITLE_CHARS_MAX) || row.StockCode;
  const word = title.toLowerCase().match(/[a-z]{3,}/gu)?.at(-1) ?? 'other';
  return {
    id: row.StockCode, title, category: [CATEGORY_ROOT, word], price: Number(row.UnitPrice), currency: CURRENCY, kind: 'product',
  };
}

async function* rows(text: Readable): AsyncGenerator<Row> {
  const table = parse({ columns: (header: string[]) => checkHeader(header), trim: true, bom: true });
  yield* pipeline(text, table, () => { /* the reader of the table is told */ }) as AsyncIterable<Row>;
}

function checkHeader(header: readonly string[]): string[] {
  const missing = COLUMNS.filter((column) => !header.includes(column));
  if (missing.length > 0) throw new AppError('invalid_request', `The table is not online-retail: it has no column ${missing.join(', ')}.`);
  return [...header];
}
