import type { FoundTable } from './tables.js';

/** Data sets of how people respond to what they are sent, known by their tables' columns. */
export interface ResponseSet<T extends string> {
  readonly what: string;
  /** Columns that are read, by table. */
  readonly tables: Readonly<Record<T, readonly string[]>>;
}

export const COMPLETE_JOURNEY = {
  what: 'campaigns with redemptions',
  tables: {
    descriptions: ['campaign_id', 'campaign_type', 'start_date', 'end_date'],
    redemptions: ['household_id', 'coupon_upc', 'campaign_id', 'redemption_date'],
    coupons: ['coupon_upc', 'product_id', 'campaign_id'],
    transactions: ['household_id', 'basket_id', 'product_id', 'quantity', 'sales_value', 'retail_disc', 'coupon_disc', 'coupon_match_disc', 'transaction_timestamp'],
    products: ['product_id', 'department', 'brand', 'product_category'],
    demographics: ['household_id', 'age', 'income', 'home_ownership', 'marital_status', 'household_size', 'kids_count'],
    exposures: ['campaign_id', 'household_id'],
  },
} as const satisfies ResponseSet<string>;

export const HILLSTROM = {
  what: 'a randomised test of e-mails',
  tables: { customers: ['recency', 'history', 'mens', 'womens', 'zip_code', 'newbie', 'channel', 'segment', 'visit', 'conversion', 'spend'] },
} as const satisfies ResponseSet<string>;

/** @returns the path of each table; undefined when one is missing. The exposures' columns are also others': the table with the fewest columns that fits is taken. */
export function pathsOf<T extends string>({ tables }: ResponseSet<T>, found: readonly FoundTable[]): Readonly<Record<T, string>> | undefined {
  const paths = (Object.entries(tables) as [T, readonly string[]][]).map(([name, columns]) => {
    const fits = found.filter(({ header }) => columns.every((column) => header.includes(column))).toSorted((a, b) => a.header.length - b.header.length);
    return [name, fits[0]?.path] as const;
  });
  return paths.every(([, path]) => path !== undefined) ? Object.fromEntries(paths) as Readonly<Record<T, string>> : undefined;
}
