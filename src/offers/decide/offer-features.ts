import type { Catalog } from '../../catalog/catalog.js';
import type { Cart } from '../../domain/cart.js';
import { EVENT_TYPE_INDEX, type EventType } from '../../domain/event.js';
import { OFFER_KINDS, type Channel } from '../../domain/offer.js';
import { HALF_LIFE_COUNT, HALF_LIVES_MS, TOUCH, type Affinities, type OfferMemory, type Profile } from '../../profile/profile.js';
import { affinityDecay } from '../../profile/vector.js';
import { hash48 } from '../../util/hash.js';
import { expectedCost, type PreparedOffer } from './prepared-offer.js';

/**
 * Names of the features of one offer for one shopper, in vector order. Row 0 of every input stands for "no offer": its columns
 * after the first six are 0. None of them is an offer's identity, so a model serves offers it has never seen.
 */
export const OFFER_FEATURES = [
  // The situation: the same in every row.
  'cart_value', 'cart_units', 'promotions_seen_90d', 'promotions_selected_90d', 'offers_dismissed', 'is_pushed',
  // The offer.
  'is_offer', ...OFFER_KINDS.map((kind) => `kind_${kind}` as const),
  'value', 'value_share', 'spend_needed', 'spend_missing', 'price_cut', 'group_size', 'hours_left', 'days_running', 'is_restricted',
  // The offer and the shopper.
  'cart_in_scope', 'page_in_scope', 'interest_short', 'interest_long',
  'item_viewed', 'item_wished', 'item_carted', 'item_purchased',
  'shown', 'selected', 'dismissed', 'days_since_shown',
] as const;
export type OfferFeature = (typeof OFFER_FEATURES)[number];
const WIDTH = OFFER_FEATURES.length;

/** Column of each feature. */
export const OFFER_COLUMN = Object.fromEntries(OFFER_FEATURES.map((name, column) => [name, column])) as Readonly<Record<OfferFeature, number>>;
const COLUMN = OFFER_COLUMN;
const KIND_COLUMN = Object.fromEntries(OFFER_KINDS.map((kind) => [kind, COLUMN[`kind_${kind}`]]));

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** `OfferMemory.state`. */
export const OFFER_SEEN = { shown: 1, selected: 2, dismissed: 4 } as const;

/** What is about to be bought, with what the catalog knows of it. */
export interface CartView {
  /** Minor units. */
  readonly valueMinor: number;
  readonly units: number;
  readonly lines: readonly CartLine[];
}
interface CartLine { readonly item: number; readonly valueMinor: number; readonly row: number }

/** What a row is written from, beside the offer. */
export interface OfferSituation {
  readonly profile: Profile;
  readonly cart: CartView;
  /** Catalog row of the item that the page is about, −1 for none. */
  readonly pageRow: number;
  readonly channel: Channel;
  /** ms */
  readonly now: number;
  readonly catalog: Catalog;
}

/** The cart of the request, else the one that the profile remembers. */
export function viewCart(cart: Cart | undefined, profile: Profile, catalog: Catalog): CartView {
  const lines: CartLine[] = [];
  let [valueMinor, units] = [0, 0];
  const add = (item: number, quantity: number, unitMinor: number): void => {
    lines.push({ item, valueMinor: quantity * unitMinor, row: catalog.rowOfKey(item) });
    valueMinor += quantity * unitMinor;
    units += quantity;
  };
  if (cart !== undefined) for (const line of cart.lines) add(hash48(line.itemId), line.quantity, line.unitMinor);
  else for (const line of profile.cart) if (line.quantity > 0) add(line.item, line.quantity, line.priceMinor);
  return { valueMinor, units, lines };
}

/** The purchase that an offer would be used on, minor units: what is in the cart, else what the shopper usually spends; 0 when unknown. */
export function likelyOrder({ cart, profile }: OfferSituation): number {
  if (cart.valueMinor > 0) return cart.valueMinor;
  return profile.orders > 0 ? Math.round(profile.spentMinor / profile.orders) : 0;
}

/**
 * Writes row 0, "no offer", and a row for each offer into `out`, which is at least (offers + 1) × `OFFER_FEATURES.length` long.
 * Amounts, counts and times enter as log(1 + x); shares are in [0, 1]; what does not apply is 0.
 */
export function writeOfferRows(out: Float32Array, offers: readonly PreparedOffer[], situation: OfferSituation): void {
  out.fill(0, 0, (offers.length + 1) * WIDTH);
  writeSituation(out, situation);
  const order = likelyOrder(situation);
  const decay = affinityDecay(situation.profile, situation.now);
  for (let i = 0; i < offers.length; i++) {
    const at = (i + 1) * WIDTH;
    const offer = offers[i]!;
    for (let column = 0; column < COLUMN.is_offer; column++) out[at + column] = out[column]!;
    writeOffer(out, at, offer, situation, order);
    if (offer.isRestricted || offer.items.size > 0) writeScope(out, at, offer, situation, decay);
    else {
      out[at + COLUMN.cart_in_scope] = situation.cart.valueMinor > 0 ? 1 : 0;
      out[at + COLUMN.page_in_scope] = situation.pageRow >= 0 ? 1 : 0;
    }
    if (situation.profile.offers.length > 0) writeMemory(out, at, offer, situation);
  }
}

function writeSituation(out: Float32Array, { profile, cart, channel, now }: OfferSituation): void {
  const fade = 2 ** (-Math.max(0, now - profile.updatedAt) / HALF_LIVES_MS[HALF_LIFE_COUNT - 1]!);
  const lasting = (type: EventType): number => Math.log1p(Math.max(0, profile.counters[(EVENT_TYPE_INDEX.get(type)! + 1) * HALF_LIFE_COUNT - 1]! * fade));
  out[COLUMN.cart_value] = Math.log1p(cart.valueMinor);
  out[COLUMN.cart_units] = Math.log1p(cart.units);
  out[COLUMN.promotions_seen_90d] = lasting('view_promotion');
  out[COLUMN.promotions_selected_90d] = lasting('select_promotion');
  let dismissed = 0;
  for (const { state } of profile.offers) if ((state & OFFER_SEEN.dismissed) !== 0) dismissed += 1;
  out[COLUMN.offers_dismissed] = dismissed;
  out[COLUMN.is_pushed] = channel === 'page' ? 0 : 1;
}

function writeOffer(out: Float32Array, at: number, prepared: PreparedOffer, { cart, now, catalog }: OfferSituation, order: number): void {
  const { offer: { terms, window }, spendMinor } = prepared;
  const value = expectedCost(terms, order);
  out[at + COLUMN.is_offer] = 1;
  out[at + KIND_COLUMN[terms.kind]!] = 1;
  out[at + COLUMN.value] = Math.log1p(value);
  const basis = Math.max(order, spendMinor);
  out[at + COLUMN.value_share] = basis === 0 ? 0 : Math.min(1, value / basis);
  out[at + COLUMN.spend_needed] = Math.log1p(spendMinor);
  out[at + COLUMN.spend_missing] = spendMinor === 0 ? 0 : Math.max(0, 1 - cart.valueMinor / spendMinor);
  out[at + COLUMN.hours_left] = Math.log1p(Math.max(0, window.endsAt - now) / HOUR_MS);
  out[at + COLUMN.days_running] = Math.log1p(Math.max(0, now - window.startsAt) / DAY_MS);
  out[at + COLUMN.is_restricted] = prepared.isRestricted ? 1 : 0;
  if (terms.kind !== 'flash_sale' && terms.kind !== 'group_buy') return;
  const row = catalog.rowOf(terms.itemId);
  const price = row < 0 ? Number.NaN : catalog.priceMinor[row]!;
  out[at + COLUMN.price_cut] = price > 0 ? Math.max(0, 1 - terms.priceMinor / price) : 0;
  if (terms.kind === 'group_buy') out[at + COLUMN.group_size] = Math.log1p(terms.size);
}

/** Columns of an offer that names items or categories. */
function writeScope(out: Float32Array, at: number, prepared: PreparedOffer, { cart, pageRow, profile, catalog }: OfferSituation, decay: { short: number; long: number }): void {
  const covers = (row: number, item: number): boolean => !prepared.isRestricted || prepared.items.has(item) || isInCategories(prepared, row, catalog);
  let covered = 0;
  for (const line of cart.lines) if (covers(line.row, line.item)) covered += line.valueMinor;
  out[at + COLUMN.cart_in_scope] = cart.valueMinor > 0 ? covered / cart.valueMinor : 0;
  out[at + COLUMN.page_in_scope] = pageRow >= 0 && covers(pageRow, hash48(catalog.item(pageRow)?.id ?? '')) ? 1 : 0;
  const [short, long] = interestIn(prepared, profile.categories, catalog);
  out[at + COLUMN.interest_short] = Math.max(0, short * decay.short);
  out[at + COLUMN.interest_long] = Math.max(0, long * decay.long);
  if (prepared.items.size === 0) return;
  let mask = 0;
  for (const touch of profile.touches) if (prepared.items.has(touch.item)) mask |= touch.mask;
  out[at + COLUMN.item_viewed] = (mask & (TOUCH.viewed | TOUCH.clicked)) === 0 ? 0 : 1;
  out[at + COLUMN.item_wished] = (mask & TOUCH.wished) === 0 ? 0 : 1;
  out[at + COLUMN.item_carted] = (mask & TOUCH.carted) === 0 ? 0 : 1;
  out[at + COLUMN.item_purchased] = (mask & TOUCH.purchased) === 0 ? 0 : 1;
}

function isInCategories({ categories }: PreparedOffer, row: number, catalog: Catalog): boolean {
  if (row < 0 || categories.length === 0) return false;
  const path = catalog.paths[row]!;
  for (const category of categories) if (path.includes(catalog.categories.ofHash(category))) return true;
  return false;
}

/** The strongest affinity to a category of the offer, or to the leaf category of the item that its terms name. */
function interestIn({ categories, item }: PreparedOffer, affinities: Affinities, catalog: Catalog): [short: number, long: number] {
  let [short, long] = [0, 0];
  const row = item === undefined ? -1 : catalog.rowOfKey(item);
  const leaf = row < 0 ? 0 : catalog.leafOf(row);
  for (let i = 0; i < affinities.keys.length; i++) {
    const key = affinities.keys[i]!;
    if (!categories.includes(key) && (leaf === 0 || catalog.categories.ofHash(key) !== leaf)) continue;
    short = Math.max(short, affinities.short[i]!);
    long = Math.max(long, affinities.long[i]!);
  }
  return [short, long];
}

function writeMemory(out: Float32Array, at: number, { key }: PreparedOffer, { profile, now }: OfferSituation): void {
  const memory = memoryOf(profile, key);
  if (memory === undefined) return;
  out[at + COLUMN.shown] = (memory.state & OFFER_SEEN.shown) === 0 ? 0 : 1;
  out[at + COLUMN.selected] = (memory.state & OFFER_SEEN.selected) === 0 ? 0 : 1;
  out[at + COLUMN.dismissed] = (memory.state & OFFER_SEEN.dismissed) === 0 ? 0 : 1;
  out[at + COLUMN.days_since_shown] = Math.log1p(Math.max(0, now - memory.at) / DAY_MS);
}

/** @returns what became of the offer with the shopper, undefined when it was never met (or long ago) */
export function memoryOf({ offers }: Profile, key: number): OfferMemory | undefined {
  for (const memory of offers) if (memory.offer === key) return memory;
  return undefined;
}
