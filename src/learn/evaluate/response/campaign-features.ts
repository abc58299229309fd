import { DEMOGRAPHIC_COLUMNS, type Campaign, type History, type Households, type Purchase } from './households.js';

/** What is known of an exposure on the day its campaign starts: nothing of that day or later. */
export interface ExposureFeatures {
  /** Of the household. */
  readonly user: Float32Array;
  /** Of the campaign, and of both. */
  readonly row: Float32Array;
  /** What anybody would count: campaigns sent and redeemed, baskets, spending, type of the campaign. */
  readonly counts: Float32Array;
  /** Share of earlier campaigns that were redeemed, smoothed: history alone. */
  readonly history: number;
}

const DAYS_RECENT = 60;
/** Exposures that the share of all counts for beside a household's own. */
const SMOOTHING = 4;
const TYPES = ['Type A', 'Type B', 'Type C'];

export function featuresOf({ campaigns, histories, demographics }: Households, household: string, campaign: Campaign): ExposureFeatures {
  const history = histories.get(household)!;
  const past = pastOf(history, campaigns, campaign.start);
  const { purchases, sent, redeemed, redemptions, lastRedemption, running } = past;
  const spent = sum(purchases, ({ spent: amount }) => amount);
  const recent = purchases.filter(({ day }) => day >= campaign.start - DAYS_RECENT);
  const baskets = new Set(purchases.map(({ basket }) => basket)).size;
  const sentOfType = sent.filter(({ type }) => type === campaign.type).length;
  const redeemedOfType = redeemed.filter(({ type }) => type === campaign.type).length;
  const share = (redeemed.length + SMOOTHING * 0.1) / (sent.length + SMOOTHING);
  const types = TYPES.map((type) => (campaign.type === type ? 1 : 0));
  const matching = matchOf(purchases, campaign);
  return {
    user: Float32Array.from([
      log(sent.length), log(redeemed.length), log(redemptions), share, lastRedemption === undefined ? 0 : 1 / (1 + (campaign.start - lastRedemption) / 30),
      log(running), log(baskets), log(purchases.length), log(spent), log(recent.length), log(sum(recent, ({ spent: amount }) => amount)),
      baskets === 0 ? 0 : log(spent / baskets), spent === 0 ? 0 : sum(purchases, ({ discount }) => discount) / spent,
      log(purchases.filter(({ couponDiscount }) => couponDiscount > 0).length), part(purchases, ({ isPrivateBrand }) => isPrivateBrand),
      log(new Set(purchases.map(({ category }) => category)).size),
      ...demographics.get(household) ?? new Float32Array(DEMOGRAPHIC_COLUMNS),
    ]),
    row: Float32Array.from([
      ...types, log(campaign.end - campaign.start), log(campaign.coupons.size), log(campaign.products.size), log(campaign.categories.size), log(campaign.sent),
      log(sentOfType), log(redeemedOfType), (redeemedOfType + 0.1 * SMOOTHING) / (sentOfType + SMOOTHING), ...matching,
    ]),
    counts: Float32Array.from([log(sent.length), log(redeemed.length), log(redemptions), log(baskets), log(spent), ...types]),
    history: share,
  };
}

function pastOf({ purchases, redemptions, campaigns: ids }: History, campaigns: ReadonlyMap<string, Campaign>, start: number) {
  const earlier = redemptions.filter(({ day }) => day < start);
  const redeemedIds = new Set(earlier.map(({ campaign }) => campaign));
  const known = ids.map((id) => ({ id, ...campaigns.get(id)! })).filter((one) => one.start < start);
  return {
    purchases: purchases.filter(({ day }) => day < start), sent: known, redeemed: known.filter(({ id }) => redeemedIds.has(id)),
    redemptions: earlier.length, lastRedemption: earlier.at(-1)?.day, running: known.filter(({ end }) => end >= start).length,
  };
}

/** How much of what the household buys the campaign's coupons are for: the very products, and their categories. */
function matchOf(purchases: readonly Purchase[], { products, categories }: Campaign): number[] {
  const same = purchases.filter(({ product }) => products.has(product)).length;
  const alike = purchases.filter(({ category }) => categories.has(category)).length;
  return [log(same), log(alike), same / Math.max(1, purchases.length), alike / Math.max(1, purchases.length)];
}

const log = (value: number): number => Math.log1p(Math.max(0, value));
const sum = <T>(list: readonly T[], of: (one: T) => number): number => list.reduce((total, one) => total + of(one), 0);
const part = <T>(list: readonly T[], fits: (one: T) => boolean): number => list.filter(fits).length / Math.max(1, list.length);
