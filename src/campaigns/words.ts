import { createHash } from 'node:crypto';
import type { Step } from '../domain/campaign.js';
import { toMajor } from '../domain/money.js';
import type { OfferMessage } from '../domain/offer-message.js';
import { enrolmentId, type Enrolment } from './enrolment.js';

const WORD_LIMITS = {
  /** Of an item's title within a sentence. */
  itemCharsMax: 80,
  idBytes: 12,
  /** Life of a message that does not say its own, s. */
  validS: 86_400,
} as const;

/** The item a message is about, as far as its words need it. */
export interface MessageItem {
  readonly id: string;
  readonly title: string;
  readonly currency?: string | undefined;
}

/** What a message may speak of. */
export interface Facts {
  readonly item?: MessageItem | undefined;
  /** Of the item: when the shopper put it there, and now. */
  readonly price?: { readonly wasMinor: number; readonly nowMinor: number } | undefined;
  readonly level?: number | undefined;
  readonly offer?: { readonly id: string; readonly title: string; readonly endsAt: number; readonly decisionId?: string | undefined } | undefined;
}

/** What words may name, in braces. */
export const PLACES = ['item', 'was', 'now', 'level', 'offer'] as const;
type Place = (typeof PLACES)[number];
const PLACE = new RegExp(`\\{(${PLACES.join('|')})\\}`, 'gu');

/** @returns the message of a step, or undefined where its words name what is not known */
export function messageOf(enrolment: Enrolment, step: Step, facts: Facts, now: number): OfferMessage | undefined {
  const { message } = step;
  const words = placesOf(facts);
  const title = fill(message.title, words) ?? (message.plainTitle === undefined ? undefined : fill(message.plainTitle, words));
  if (title === undefined) return undefined;
  const { item, offer } = facts;
  const expiresAt = Math.min(now + (message.validS ?? WORD_LIMITS.validS) * 1000, offer?.endsAt ?? Infinity);
  return {
    id: messageId(enrolment),
    kind: facts.price !== undefined ? 'price_drop' : message.percentOff !== undefined || offer !== undefined ? 'coupon' : 'notice',
    cause: enrolment.campaign,
    title,
    ...optional('text', message.text === undefined ? undefined : fill(message.text, words)),
    ...optional('itemId', item?.id),
    ...optional('offerId', offer?.id),
    ...optional('decisionId', offer?.decisionId),
    ...takenOff(step, facts),
    ...(facts.price === undefined ? {} : optional('currency', item?.currency)),
    createdAt: new Date(now).toISOString(), expiresAt: new Date(expiresAt).toISOString(),
  };
}

/** The same for the same cause, and tells nothing of it. */
export function messageId(enrolment: Enrolment): string {
  const digest = createHash('sha256').update(enrolmentId(enrolment)).digest();
  return `${enrolment.campaign}-${digest.subarray(0, WORD_LIMITS.idBytes).toString('base64url')}`;
}

function takenOff({ message: { percentOff } }: Step, { price, item }: Facts): Pick<OfferMessage, 'discount' | 'price'> {
  if (price !== undefined) {
    const amount = (minor: number): number => toMajor(minor, item?.currency);
    return { discount: { type: 'amount', value: amount(price.wasMinor - price.nowMinor) }, price: { was: amount(price.wasMinor), now: amount(price.nowMinor) } };
  }
  return percentOff === undefined ? {} : { discount: { type: 'percent', value: percentOff } };
}

function placesOf({ item, price, level, offer }: Facts): ReadonlyMap<Place, string | undefined> {
  const amount = (minor: number | undefined): string | undefined => (minor === undefined ? undefined : amountOf(toMajor(minor, item?.currency), item?.currency));
  return new Map<Place, string | undefined>([
    ['item', item === undefined ? undefined : short(item.title)], ['was', amount(price?.wasMinor)], ['now', amount(price?.nowMinor)],
    ['level', level === undefined ? undefined : String(level)], ['offer', offer?.title],
  ]);
}

/** @returns undefined where a place stays empty */
function fill(text: string, words: ReadonlyMap<Place, string | undefined>): string | undefined {
  let isWhole = true;
  const filled = text.replace(PLACE, (_, place: Place) => {
    const word = words.get(place);
    isWhole &&= word !== undefined;
    return word ?? '';
  });
  return isWhole ? filled : undefined;
}

function amountOf(amount: number, currency: string | undefined): string {
  if (currency === undefined) return amount.toFixed(2);
  return new Intl.NumberFormat('en', { style: 'currency', currency }).format(amount);
}

function short(title: string): string {
  const { itemCharsMax } = WORD_LIMITS;
  return title.length <= itemCharsMax ? title : `${title.slice(0, itemCharsMax - 1).toWellFormed().trimEnd()}…`;
}

const optional = <Name extends string, Value>(name: Name, value: Value | undefined): { [N in Name]?: Value } =>
  (value === undefined ? {} : { [name]: value }) as { [N in Name]?: Value };
