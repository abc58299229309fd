import { seededRandom } from '../../src/util/random.js';

/** Small data sets of every shape that an evaluation reads. */

const DAY_S = 86_400;
const SHOPPERS = 40;
const ITEMS = 14;
const PATTERN = [0, 1, 2, 3, 4, 5];

/** Shoppers who walk round the catalog: what comes next is the next item, nearly always. */
const walk = (shopper: number): number[] => {
  const random = seededRandom(shopper + 1);
  const start = Math.floor(random() * ITEMS);
  return PATTERN.map((step) => (random() < 0.1 ? Math.floor(random() * ITEMS) : (start + step) % ITEMS));
};
export const lines = (header: string, rows: readonly string[]): string => `${[header, ...rows].join('\n')}\n`;
export const everyone = Array.from({ length: SHOPPERS }, (_, shopper) => shopper);

export const sequences = lines('user_id,position,item_id,unix_time', everyone.flatMap((shopper) =>
  walk(shopper).map((item, place) => `u${shopper},${place},i${item},${1.5e9 + shopper * 600 + place * DAY_S}`)));
export const attributes = lines('item_id,attribute_ids', Array.from({ length: ITEMS }, (_, item) => `i${item},a${item % 4} a${item % 7 + 10}`));
export const sessions = lines('session_id,item_ids', Array.from({ length: 2 * SHOPPERS }, (_, session) => `s${session},${walk(session).map((item) => `i${item}`).join(' ')}`));
export const prefixes = lines('prefix_id,item_ids,target_item_id', everyone.map((session) => {
  const items = walk(1000 + session).map((item) => `i${item}`);
  return `t${session},${items.slice(0, -1).join(' ')},${items.at(-1)}`;
}));
export const invoices = lines('InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country', everyone.flatMap((customer) =>
  walk(customer).flatMap((item, month) => [item, (item + 1) % ITEMS].map((code) =>
    `${customer}-${month},C${code},"BOX, ${code}",2,2021-${String(month + 1).padStart(2, '0')}-${String(1 + customer % 28).padStart(2, '0')} 10:00:00,1.5,${customer},Malta`))));
