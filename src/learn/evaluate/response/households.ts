import { COMPLETE_JOURNEY } from '../datasets/response-sets.js';
import { readTable, type TableListener } from '../datasets/table.js';

/** The tables of household campaigns as they are known at any date. Dates are days since 1970. */
export interface Households {
  readonly campaigns: ReadonlyMap<string, Campaign>;
  readonly exposures: readonly { readonly household: string; readonly campaign: string }[];
  readonly histories: ReadonlyMap<string, History>;
  /** Column by column, 0 where nothing is known; the last says whether anything is. */
  readonly demographics: ReadonlyMap<string, readonly number[]>;
}

export interface Campaign {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly coupons: Set<string>;
  readonly products: Set<string>;
  readonly categories: Set<string>;
  /** Households it was sent to. */
  sent: number;
}

export interface Purchase {
  readonly day: number;
  readonly basket: string;
  readonly product: string;
  readonly category: string;
  readonly spent: number;
  readonly discount: number;
  /** By a coupon. */
  readonly couponDiscount: number;
  readonly isPrivateBrand: boolean;
}

/** Of one household, each list by day. */
export interface History {
  readonly purchases: Purchase[];
  readonly redemptions: { readonly day: number; readonly campaign: string }[];
  /** Campaigns sent. */
  readonly campaigns: string[];
}

export type HouseholdTables = Readonly<Record<keyof (typeof COMPLETE_JOURNEY)['tables'], string>>;

const DAY_MS = 86_400_000;
export const dayOf = (text: string): number => Math.floor(Date.parse(`${text.slice(0, 10)}T00:00:00Z`) / DAY_MS);
const AGES = ['19-24', '25-34', '35-44', '45-54', '55-64', '65+'];
const INCOMES = ['Under 15K', '15-24K', '25-34K', '35-49K', '50-74K', '75-99K', '100-124K', '125-149K', '150-174K', '175-199K', '200-249K', '250K+'];

/** @throws AppError `invalid_request` when a table is not what it is taken for */
export async function readHouseholds(paths: HouseholdTables, on: TableListener): Promise<Households> {
  const { tables } = COMPLETE_JOURNEY;
  const campaigns = new Map<string, Campaign>();
  await readTable(paths.descriptions, tables.descriptions, ([id = '', type = '', from = '', until = '']) => {
    const [start, end] = [dayOf(from), dayOf(until)];
    if (!Number.isFinite(start) || !Number.isFinite(end)) return 'start_date or end_date is no date';
    campaigns.set(id, { type, start, end, coupons: new Set(), products: new Set(), categories: new Set(), sent: 0 });
    return undefined;
  }, on);
  const kinds = new Map<string, { category: string; isPrivate: boolean }>();
  await readTable(paths.products, tables.products, ([id = '', department = '', brand = '', category = '']) => {
    kinds.set(id, { category: `${department}/${category}`, isPrivate: brand === 'Private' });
    return undefined;
  }, on);
  await readTable(paths.coupons, tables.coupons, ([coupon = '', product = '', id = '']) => {
    const campaign = campaigns.get(id);
    if (campaign === undefined) return 'campaign_id is not described';
    campaign.coupons.add(coupon);
    campaign.products.add(product);
    campaign.categories.add(kinds.get(product)?.category ?? '');
    return undefined;
  }, on);
  const histories = new Map<string, History>();
  const historyOf = (household: string): History => {
    let history = histories.get(household);
    if (history === undefined) histories.set(household, history = { purchases: [], redemptions: [], campaigns: [] });
    return history;
  };
  const exposures: Households['exposures'][number][] = [];
  await readTable(paths.exposures, tables.exposures, ([id = '', household = '']) => {
    const campaign = campaigns.get(id);
    if (campaign === undefined) return 'campaign_id is not described';
    campaign.sent += 1;
    historyOf(household).campaigns.push(id);
    exposures.push({ household, campaign: id });
    return undefined;
  }, on);
  await readTable(paths.redemptions, tables.redemptions, ([household = '', , campaign = '', date = '']) => {
    const day = dayOf(date);
    if (!Number.isFinite(day)) return 'redemption_date is no date';
    historyOf(household).redemptions.push({ day, campaign });
    return undefined;
  }, on);
  await readTable(paths.transactions, tables.transactions, ([household = '', basket = '', product = '', , spent = '', retail = '', coupon = '', match = '', at = '']) => {
    const day = dayOf(at);
    const amounts = [spent, retail, coupon, match].map(Number);
    if (!Number.isFinite(day) || !amounts.every(Number.isFinite)) return 'a value or the timestamp is no number';
    const { category = '', isPrivate = false } = kinds.get(product) ?? {};
    historyOf(household).purchases.push({
      day, basket, product, category, spent: amounts[0]!, discount: amounts[1]!, couponDiscount: amounts[2]! + amounts[3]!, isPrivateBrand: isPrivate,
    });
    return undefined;
  }, on);
  for (const { purchases, redemptions } of histories.values()) for (const list of [purchases, redemptions]) list.sort((a, b) => a.day - b.day);
  return { campaigns, exposures, histories, demographics: await readDemographics(paths.demographics, on) };
}

async function readDemographics(path: string, on: TableListener): Promise<Map<string, number[]>> {
  const all = new Map<string, number[]>();
  await readTable(path, COMPLETE_JOURNEY.tables.demographics, ([household = '', age = '', income = '', home = '', married = '', size = '', kids = '']) => {
    all.set(household, [1 + AGES.indexOf(age), 1 + INCOMES.indexOf(income), home === 'Homeowner' ? 1 : 0, married === 'Married' ? 1 : 0, Number.parseInt(size, 10) || 0, Number.parseInt(kids, 10) || 0, 1]);
    return undefined;
  }, on);
  return all;
}
export const DEMOGRAPHIC_COLUMNS = 7;
