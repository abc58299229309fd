import { $, h, moment } from './dom.js';

const STATUS = { held: 'waiting', claimed: 'ready', redeemed: 'used', released: 'given back', expired: 'expired', refunded: 'refunded' };
const SHOWN_MAX = 6;

/** What the visitor has claimed, each with its code. */
export class Wallet {
  claims = [];
  /** Offer id → title, of all that were met. */
  titles = new Map();

  /** @param invited told that an invitation was copied */
  constructor({ api, invited }) {
    Object.assign(this, { api, invited });
  }

  has(offerId) {
    return this.claims.some((claim) => claim.offerId === offerId && claim.status !== 'released' && claim.status !== 'expired');
  }

  hasClaim(id) {
    return this.claims.some((claim) => claim.id === id);
  }

  clear() {
    this.claims = [];
    this.#draw();
  }

  async refresh(anonymousId) {
    this.claims = await this.api.wallet(anonymousId);
    const unknown = [...new Set(this.claims.map(({ offerId }) => offerId))].filter((id) => !this.titles.has(id));
    await Promise.all(unknown.map(async (id) => { this.titles.set(id, (await this.api.offer(id)).title); }));
    this.#draw();
  }

  #draw() {
    $('#wallet').replaceChildren(...this.claims.slice(0, SHOWN_MAX).map((claim) => this.#entry(claim)));
    $('#wallet-empty').hidden = this.claims.length > 0;
  }

  #entry({ id, offerId, code, status, expiresAt, groupId, shareCode }) {
    const isOpen = status === 'held' || status === 'claimed';
    const invitation = status === 'held' ? groupId ?? shareCode : undefined;
    return h('li', { class: isOpen ? 'claim' : 'claim over', data: { claimId: id, offerId, status } },
      h('p', { class: 'claim-title' }, h('span', {}, this.titles.get(offerId) ?? offerId), h('span', { class: 'status' }, STATUS[status])),
      isOpen && h('p', { class: 'note' }, h('code', {}, code), ` until ${moment(expiresAt)}`),
      invitation !== undefined && h('p', { class: 'actions' }, h('button', {
        type: 'button', class: 'quiet', 'data-action': 'invite', onclick: () => this.#invite(invitation),
      }, 'Copy an invitation')));
  }

  #invite(claimId) {
    const link = `${location.origin}${location.pathname}?invite=${claimId}`;
    // Over plain http there is no clipboard: then the link is shown.
    if (navigator.clipboard === undefined) this.invited(link);
    else void navigator.clipboard.writeText(link).then(() => this.invited('Invitation copied. Open it as someone new.'), () => this.invited(link));
  }
}
