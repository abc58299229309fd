import { $, h, moment, newId, refill } from './dom.js';
import { KIND_WORDS, termsOf } from './terms.js';
import { why } from './why.js';

/** Offers that a shop puts in its window, for everybody to see; the others are for whom the engine decides. */
const IN_THE_WINDOW = new Set(['flash_sale', 'group_buy', 'share_reward']);

/** `?invite=<claim>`: a friend's group or share that the visitor was sent. */
const invitation = new URLSearchParams(location.search).get('invite') ?? undefined;

/** What can be claimed: the offer decided for the visitor first, then what is open to all. */
export class Deals {
  #decided;
  #open = [];
  /** Idempotency-Key by offer: a claim that failed midway is asked for again, not made twice. */
  #keys = new Map();

  /**
   * @param api the engine
   * @param wallet what was claimed
   * @param on `{item(id), showItem(item), claim(run), shown(offer), selected(offer), dismissed(offer)}`
   */
  constructor({ api, wallet, on }) {
    Object.assign(this, { api, wallet, on });
  }

  /** Who the visitor is; what was decided for someone else is forgotten. */
  begin(anonymousId) {
    this.anonymousId = anonymousId;
    this.#decided = undefined;
    this.#keys.clear();
    this.draw();
  }

  /** Asks what the visitor gets, unless an offer is on the page already: it stays until it is answered or ends. */
  async decide(scene) {
    const { anonymousId } = this;
    const isOpen = this.#decided !== undefined && this.#decided.offer.endsAt > Date.now() && !this.wallet.has(this.#decided.offer.id);
    const [decision, open] = await Promise.all([isOpen ? undefined : this.api.decide({ anonymousId, scene }).catch(() => undefined), this.api.offers().catch(() => [])]);
    if (anonymousId !== this.anonymousId) return;
    for (const { id, title } of open) this.wallet.titles.set(id, title);
    this.#open = open.filter(({ terms, window, channels }) => IN_THE_WINDOW.has(terms.kind) && window.endsAt > Date.now() && channels?.includes('page') !== false);
    if (!isOpen) this.#decided = decision?.offer === null ? undefined : decision;
    if (!isOpen && this.#decided !== undefined) this.on.shown(this.#decided.offer);
    this.draw();
  }

  draw() {
    const decided = this.#decided?.offer;
    const others = this.#open.filter(({ id }) => id !== decided?.id);
    const cards = [...(decided === undefined ? [] : [this.#card(decided, this.#decided)]), ...others.map((offer) => this.#card(offer))];
    refill($('#deals'), cards, (card) => card.dataset.offerId);
    $('#deals-section').hidden = cards.length === 0;
  }

  #card(offer, decision) {
    const { id, title, terms } = offer;
    const item = terms.itemId === undefined ? undefined : this.on.item(terms.itemId);
    const full = this.#open.find((one) => one.id === id);
    const left = terms.kind === 'flash_sale' && full?.usage !== undefined ? Math.max(0, full.terms.stock - full.usage.count) : undefined;
    const invited = this.#invitedTo(id);
    return h('li', { class: decision === undefined ? 'deal' : 'deal decided', data: { offerId: id, kind: terms.kind } },
      h('p', { class: 'source' }, decision !== undefined ? 'Picked for you' : invited ? 'A friend invites you' : KIND_WORDS[terms.kind]),
      h('p', { class: 'offer-title' }, title.replace(/^(Flash sale|Together): /, '')),
      h('p', { class: 'note' }, `${termsOf(offer, item)} · until ${moment(offer.endsAt ?? offer.window.endsAt)}`),
      left !== undefined && stockBar(left, full.terms.stock),
      h('div', { class: 'actions' },
        this.#claimButton(offer, { isOut: left === 0, invited }),
        item !== undefined && h('button', { type: 'button', class: 'quiet', 'data-action': 'show-item', onclick: () => this.on.showItem(item) }, 'Show me'),
        decision !== undefined && h('button', { type: 'button', class: 'quiet faint', 'data-action': 'decline', onclick: () => this.#decline(offer) }, 'No, thanks')),
      decision?.explain !== undefined && why(decision, (offerId) => this.wallet.titles.get(offerId) ?? offerId));
  }

  #claimButton(offer, { isOut, invited }) {
    const isMine = this.wallet.has(offer.id);
    const words = isMine ? 'In your wallet' : isOut ? 'Sold out' : invited ? 'Join in' : { group_buy: 'Start a group', share_reward: 'Get a link' }[offer.terms.kind] ?? 'Claim';
    return h('button', { type: 'button', class: 'primary', 'data-action': 'claim', disabled: isMine || isOut, onclick: (event) => void this.claim(offer, event.currentTarget) }, words);
  }

  #invitedTo(offerId) {
    return invitation?.startsWith(`${offerId}.`) === true && !this.wallet.hasClaim(invitation);
  }

  /** @param offer one of the page, or `{id}` of a message */
  async claim(offer, button) {
    button.disabled = true;
    const key = this.#keys.get(offer.id) ?? newId();
    this.#keys.set(offer.id, key);
    const invited = this.#invitedTo(offer.id);
    const link = invited && (offer.terms.kind === 'group_buy' ? { groupId: invitation } : { shareCode: invitation });
    const claim = await this.on.claim(() => this.api.claim(offer.id, key, { anonymousId: this.anonymousId, ...link }));
    button.disabled = false;
    // Answered either way: another wish is another claim.
    this.#keys.delete(offer.id);
    if (claim === undefined) return undefined;
    this.on.selected(offer);
    await this.wallet.refresh(this.anonymousId);
    this.draw();
    return claim;
  }

  #decline(offer) {
    this.#decided = undefined;
    this.on.dismissed(offer);
    this.draw();
  }
}

function stockBar(left, stock) {
  const bar = h('span', { class: 'bar', role: 'img', 'aria-label': `${left} of ${stock} left` });
  bar.style.setProperty('--share', String(left / stock));
  return h('p', { class: 'stock' }, bar, left === 0 ? 'Sold out' : `${left} of ${stock} left`);
}
