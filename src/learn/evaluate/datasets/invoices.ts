import type { Interactions, Question, Split, Task } from '../../task.js';
import { asTags, idFault, LogCollector, type ItemDetails } from './collect.js';
import { readTable, type TableListener } from './table.js';

/**
 * Invoices with their lines, like online-retail: next basket, split by time. Lines of a known customer with a quantity
 * and a price above zero count; cancellations and the rest are left out. Times are taken as UTC: the table does not say.
 */
export const INVOICE_COLUMNS = ['InvoiceNo', 'StockCode', 'Description', 'Quantity', 'InvoiceDate', 'UnitPrice', 'CustomerID'] as const;

const CURRENCY = 'GBP';
const TITLE_CHARS_MAX = 512;
const DAY_MS = 86_400_000;
/** Months before the validation's that the ranker learns from, at most. */
const FIT_MONTHS = 6;
/** Share of the time span for each of fit, validation and test, where there are too few whole months. */
const PART = 0.1;

export async function readInvoices(name: string, file: string, on: TableListener): Promise<Task> {
  const log = new LogCollector();
  const invoices: string[] = [];
  const timeOf = timeReader();
  await readTable(file, INVOICE_COLUMNS, ([invoice = '', code = '', description = '', quantity = '', date = '', price = '', customer = '']) => {
    const at = timeOf(date);
    const units = quantity === '' ? NaN : Number(quantity);
    const unitPrice = price === '' ? NaN : Number(price);
    if (!Number.isFinite(units) || !Number.isFinite(unitPrice)) return 'Quantity or UnitPrice is no number';
    if (!Number.isFinite(at)) return 'InvoiceDate is no time';
    const fault = idFault('InvoiceNo', invoice) ?? idFault('StockCode', code);
    if (fault !== undefined || customer === '' || invoice.startsWith('C') || units <= 0 || unitPrice <= 0) return fault;
    const item = log.item(code);
    log.describe(item, detailsOf(code, description, unitPrice));
    log.add(log.shopper(customer), item, at, at);
    invoices.push(invoice);
    return undefined;
  }, on);
  const { items, interactions, source } = log.finish('purchase');
  const invoiceOf = (event: number): string => invoices[source[event]!]!;
  const splits = periods(interactions.at).map((from, i, starts) => firstBaskets(interactions, invoiceOf, from, starts[i + 1] ?? Infinity));
  return {
    name, protocol: 'next-basket', items, interactions, excludeHistory: false,
    fits: splits.slice(0, -2), validation: splits.at(-2)!, test: splits.at(-1)!,
  };
}

/** Lines of an invoice follow each other: the latest time is remembered. */
function timeReader(): (text: string) => number {
  let last = '';
  let at = NaN;
  return (text) => {
    if (text !== last) {
      last = text;
      at = Date.parse(`${text.replace(' ', 'T')}Z`);
    }
    return at;
  };
}

/** As of the item's first sale, so that nothing later is told. In English the last word of a title names the thing. */
function detailsOf(code: string, description: string, price: number): ItemDetails {
  const title = description.slice(0, TITLE_CHARS_MAX) || code;
  const words = title.toLowerCase().match(/[a-z]{3,}/gu) ?? [];
  return { title, category: ['all', words.at(-1) ?? 'other'], tags: asTags(words), price, currency: CURRENCY };
}

/**
 * Starts of the spans: those to learn from, validation, test, ms. The test begins with the last calendar month that the log
 * has whole (a log that ends on a month's last day has it) and takes all that follows; the months before are validation
 * and fits, as many as have a whole month before them. A log without a month to learn from is cut by shares of its span.
 */
function periods(at: Float64Array): number[] {
  const first = at.reduce((least, time) => Math.min(least, time), Infinity);
  const last = at.reduce((most, time) => Math.max(most, time), -Infinity);
  const after = new Date(last + DAY_MS);
  const monthsBack = (months: number): number => Date.UTC(after.getUTCFullYear(), after.getUTCMonth() - months);
  const months = Array.from({ length: FIT_MONTHS + 2 }, (_, i) => FIT_MONTHS + 2 - i).filter((back) => first < monthsBack(back + 1));
  if (months.length > 2) return months.map(monthsBack);
  return [3, 2, 1].map((parts) => last - parts * PART * (last - first));
}

/** Each customer's first invoice of [from, to), asked at its time, in time order; what was before `from` is known. */
function firstBaskets(log: Interactions, invoiceOf: (event: number) => string, from: number, to: number): Split {
  const { offsets, item, at } = log;
  const split = { known: new Uint32Array(log.shoppers), questions: [] as Question[] };
  for (let shopper = 0; shopper < log.shoppers; shopper++) {
    const start = offsets[shopper]!;
    const end = offsets[shopper + 1]!;
    let first = start;
    while (first < end && at[first]! < from) first++;
    split.known[shopper] = first - start;
    if (first === end || at[first]! >= to) continue;
    const invoice = invoiceOf(first);
    const wanted = new Set<number>();
    for (let event = first; event < end; event++) if (invoiceOf(event) === invoice) wanted.add(item[event]!);
    const bought = new Set(item.subarray(start, first));
    split.questions.push({
      shopper, history: first - start, at: at[first]!, wanted: [...wanted], fresh: [...wanted].filter((one) => !bought.has(one)),
    });
  }
  split.questions.sort((a, b) => a.at - b.at);
  return split;
}
