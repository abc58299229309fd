import { minor } from './dom.js';

/** What an offer gives, in words, by kind. */
const TERMS = {
  threshold: ({ spendMinor, saveMinor }, money) => `${money(saveMinor)} off from ${money(spendMinor)}`,
  percentage: ({ basisPoints, capMinor, spendMinor }, money) => `${basisPoints / 100} % off, up to ${money(capMinor)}${from(spendMinor, money)}`,
  fixed: ({ saveMinor }, money) => `${money(saveMinor)} off`,
  free_shipping: ({ spendMinor }, money) => `Free delivery${from(spendMinor, money)}`,
  gift: ({ spendMinor }, money) => `A gift with your order${from(spendMinor, money)}`,
  flash_sale: ({ priceMinor }, money, was) => `${money(priceMinor)}${instead(was, money)}`,
  group_buy: ({ priceMinor, size }, money, was) => `${money(priceMinor)}${instead(was, money)} for ${size} of you together, or for nobody`,
  share_reward: ({ sharerMinor, friendMinor }, money) => `${money(sharerMinor)} for you and ${money(friendMinor)} for a friend, once the friend has bought`,
};

const from = (spendMinor, money) => (spendMinor === undefined ? '' : ` from ${money(spendMinor)}`);
const instead = (was, money) => (was === undefined ? '' : ` instead of ${money(was)}`);

/** @param item the one on sale, where it is known */
export function termsOf({ terms, currency }, item) {
  const was = item?.price === undefined ? undefined : Math.round(item.price * 100);
  return TERMS[terms.kind](terms, (amount) => minor(amount, currency), was);
}

export const KIND_WORDS = { flash_sale: 'Flash sale', group_buy: 'Buy together', share_reward: 'Share' };
