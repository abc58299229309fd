import { $, h, minor, moment, refill } from '../dom.js';
import { termsOf } from '../terms.js';

/** More than these would hide the stage. */
const SHOWN_MAX = 3;

/** What drops in over the stage: the viewer's own offers, flash sales, polls, gift goals; the latest on top. */
export class Drops {
  /** Key → what draws it; in order of arrival. */
  #drops = new Map();
  /** Cues that are open. */
  #open = new Set();
  #votes = new Map();
  #stats = {};

  /** @param on `{item(id), offer(id) → promise, claim(offerId, button) → promise of the claim, vote(cue, option), acknowledged(messageId)}` */
  constructor(on) {
    this.on = on;
  }

  /** An offer of the viewer's own, claimed for them already unless it is the cue's default. */
  async offer(message) {
    this.on.acknowledged(message.id);
    if (this.#drops.has(message.id)) return;
    this.#add(message.id, () => this.#offerCard(message, undefined));
    const full = message.offerId === undefined ? undefined : await this.on.offer(message.offerId);
    if (full !== undefined) this.#add(message.id, () => this.#offerCard(message, full));
  }

  cue(cue) {
    const cards = { flash_sale: () => this.#flashSale(cue), poll: () => this.#poll(cue), gift_goal: () => this.#goal(cue) };
    const leftMs = cue.endsAt - Date.now();
    if (cards[cue.kind] === undefined || leftMs <= 0) return;
    this.#open.add(cue.id);
    this.#add(cue.id, cards[cue.kind]);
    setTimeout(() => this.#close(cue.id), leftMs);
  }

  /** The latest counts: votes and gifts. */
  stats(stats) {
    this.#stats = stats;
    this.#draw();
  }

  /** The show is over, and with it what was open in it; what a viewer was given stays theirs. */
  over() {
    for (const id of this.#open) this.#close(id);
  }

  #add(key, card) {
    this.#drops.set(key, card);
    this.#draw();
  }

  #draw() {
    const keys = [...this.#drops.keys()].slice(-SHOWN_MAX).toReversed();
    refill($('#drops'), keys.map((key) => this.#drops.get(key)()), (card) => card.dataset.drop);
  }

  #card(key, kind, source, ...children) {
    return h('li', { class: `offer ${kind}`, data: { drop: key, kind } },
      h('p', { class: 'source' }, source), ...children,
      h('div', { class: 'actions' }, h('button', { type: 'button', class: 'quiet faint', 'data-action': 'close-drop', onclick: () => this.#close(key) }, 'Close')));
  }

  #close(key) {
    this.#open.delete(key);
    this.#drops.delete(key);
    this.#draw();
  }

  #offerCard({ id, title, text, claim, isDefault, offerId, expiresAt }, full) {
    const isSoldOut = offerId === undefined;
    const card = this.#card(id, 'personal', isSoldOut ? 'All gone' : isDefault === true ? 'For everybody' : 'Yours alone',
      h('p', { class: 'offer-title' }, title),
      text !== undefined && h('p', { class: 'note' }, text),
      full !== undefined && h('p', { class: 'note' }, `${termsOf(full)} · until ${moment(claim?.expiresAt ?? expiresAt)}`),
      claim !== undefined && h('p', {}, 'In your wallet: ', h('code', {}, claim.code)));
    if (offerId !== undefined) card.dataset.offerId = offerId;
    if (claim === undefined && offerId !== undefined) card.querySelector('.actions').prepend(this.#claimButton(id, offerId));
    return card;
  }

  #flashSale(cue) {
    const item = this.on.item(cue.itemId);
    const card = this.#card(cue.id, 'flash', `Flash sale, ${cue.stock} of them`,
      h('p', { class: 'offer-title' }, item?.title ?? cue.itemId),
      h('p', { class: 'note' }, `${minor(cue.priceMinor, item?.currency)} until ${moment(cue.endsAt)}`));
    card.querySelector('.actions').prepend(this.#claimButton(cue.id, cue.offerId));
    return card;
  }

  #claimButton(key, offerId) {
    return h('button', { type: 'button', class: 'primary', 'data-action': 'claim-drop', onclick: (event) => void this.#claim(key, offerId, event.currentTarget) }, 'Claim');
  }

  async #claim(key, offerId, button) {
    if (await this.on.claim(offerId, button) !== undefined) this.#close(key);
  }

  #poll(cue) {
    const counts = this.#stats.polls?.[cue.number] ?? [];
    const total = Math.max(1, counts.reduce((sum, count) => sum + count, 0));
    return this.#card(cue.id, 'poll', 'The host asks',
      h('p', { class: 'offer-title' }, cue.question),
      ...cue.options.map((option, i) => {
        const button = h('button', {
          type: 'button', 'data-option': String(i), 'aria-pressed': String(this.#votes.get(cue.id) === i),
          onclick: () => { this.#votes.set(cue.id, i); this.on.vote(cue, i); this.#draw(); },
        }, option, h('small', {}, String(counts[i] ?? 0)));
        button.style.setProperty('--share', String((counts[i] ?? 0) / total));
        return button;
      }));
  }

  #goal(cue) {
    const reached = this.#stats.goals?.[cue.number] ?? 0;
    const bar = h('span', { class: 'bar', role: 'img', 'aria-label': `${reached} of ${cue.target}` });
    bar.style.setProperty('--share', String(Math.min(1, reached / cue.target)));
    return this.#card(cue.id, 'goal', reached >= cue.target ? 'Reached, thank you' : 'Together',
      h('p', { class: 'offer-title' }, cue.title), bar, h('p', { class: 'note sum' }, `${reached} of ${cue.target} roses`));
  }
}
