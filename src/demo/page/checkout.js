import { showCart, showTotals } from './dialogs.js';

/** What the demo store asks for delivery, whatever is in the cart. */
const SHIPPING_MINOR = 490;

/** The cart and the till: the engine says what the wallet takes off, and redeems what was used. */
export class Checkout {
  #turn = 0;

  /** @param lines gives `[{item, quantity}]` @param attempt runs a call and says when it failed */
  constructor({ api, session, wallet, lines, attempt }) {
    Object.assign(this, { api, session, wallet, lines, attempt });
  }

  /** Opens the cart. @param on `{onOpen(item), onRemove(item), onBought([{item, quantity, paidMinor}])}` */
  async show(on) {
    const turn = ++this.#turn;
    showCart(this.lines(), { ...on, onCheckOut: (button) => void this.#buy(button, on) });
    const check = await this.#check();
    if (check === undefined || turn !== this.#turn) return;
    showTotals(check, this.lines()[0]?.item.currency, (offerId) => this.wallet.titles.get(offerId) ?? offerId);
  }

  async #check() {
    const lines = this.lines();
    if (lines.length === 0) return undefined;
    const cart = {
      currency: lines[0].item.currency, shippingMinor: SHIPPING_MINOR,
      lines: lines.map(({ item, quantity }) => ({ itemId: item.id, unitMinor: Math.round((item.price ?? 0) * 100), quantity })),
    };
    return this.attempt(() => this.api.validate({ anonymousId: this.session.anonymousId, cart }));
  }

  /** Asks once more what the cart comes to, redeems the claims that lower it, and only then takes the order. */
  async #buy(button, { onBought }) {
    button.disabled = true;
    const lines = this.lines();
    const check = await this.#check();
    const isRedeemed = check !== undefined && await this.attempt(() => this.#redeem(check).then(() => true));
    button.disabled = false;
    if (isRedeemed !== true) return;
    onBought(lines.map((line, i) => ({ ...line, paidMinor: check.linesMinor[i] })));
  }

  /** Each claim for its part of what its offer took off; a claim that was redeemed already may be said again. */
  async #redeem({ applied }) {
    for (const { claimIds, discountMinor } of applied) {
      const each = Math.floor(discountMinor / claimIds.length);
      for (const [i, id] of claimIds.entries()) await this.api.redeem(id, i === 0 ? discountMinor - each * (claimIds.length - 1) : each);
    }
  }
}
