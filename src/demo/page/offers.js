import { $, h, moment, money } from './dom.js';

/** More than these would be noise: the oldest goes. */
const SHOWN_MAX = 4;

const CAUSES = {
  cart_abandoned: 'For your cart', checkout_abandoned: 'For your order', price_drop: 'The price has dropped', back_in_stock: 'There again', welcome: 'Welcome',
};

/** Messages as they arrive, some with an offer to claim: each once, newest first. */
export class Offers {
  /** @param on `{shown(offer), selected(offer), dismissed(offer), claimed(offer, button) → whether}` */
  constructor(on) {
    this.on = on;
  }

  add(offer) {
    const list = $('#offers');
    if ([...list.children].some((child) => child.dataset.offerId === offer.id)) return;
    const entry = h('li', { class: 'offer', data: { offerId: offer.id, kind: offer.kind } },
      h('p', { class: 'source' }, CAUSES[offer.cause] ?? 'An offer'),
      h('p', { class: 'offer-title' }, offer.title),
      h('p', { class: 'note' }, termsOf(offer)),
      h('div', { class: 'actions' },
        offer.offerId !== undefined && h('button', { type: 'button', class: 'primary', 'data-action': 'claim', onclick: (event) => void this.#claim(offer, entry, event.currentTarget) }, 'Claim'),
        h('button', { type: 'button', class: offer.offerId === undefined ? 'primary' : 'quiet', 'data-action': 'select-offer', onclick: () => this.on.selected(offer) }, offer.itemId === undefined ? 'Use it' : 'Show me'),
        h('button', { type: 'button', class: 'quiet faint', 'data-action': 'dismiss-offer', onclick: () => this.#dismiss(offer, entry) }, 'No, thanks')));
    list.prepend(entry);
    while (list.children.length > SHOWN_MAX) list.lastElementChild.remove();
    $('#offers-empty').hidden = true;
    this.on.shown(offer);
  }

  clear() {
    $('#offers').replaceChildren();
    $('#offers-empty').hidden = false;
  }

  async #claim(offer, entry, button) {
    if (await this.on.claimed(offer, button)) this.#remove(entry);
  }

  #dismiss(offer, entry) {
    this.#remove(entry);
    this.on.dismissed(offer);
  }

  #remove(entry) {
    entry.remove();
    $('#offers-empty').hidden = $('#offers').children.length > 0;
  }
}

function termsOf({ price, currency, expiresAt }) {
  return [price !== undefined && `${money(price.now, currency)} instead of ${money(price.was, currency)}`, `until ${moment(expiresAt)}`].filter(Boolean).join(' · ');
}

export function showLiveState(state) {
  const words = { connecting: 'connecting', live: 'live', waiting: 'reconnecting', closed: 'closed' };
  const badge = $('#live');
  badge.dataset.state = state;
  badge.textContent = words[state];
}
