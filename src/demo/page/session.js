import { newId } from './dom.js';

const KEY = 'rivulet-demo-visitor';
/** Events kept for the next call while the engine is away. */
const OUTBOX_MAX = 100;
const REGION = new Intl.Locale(navigator.language).region;

/** Who shops on this page: an anonymous visitor with a cart, kept in the browser; and the events not yet sent. */
export class Session {
  #outbox = [];

  constructor() {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? 'null');
    this.anonymousId = kept?.anonymousId ?? `web-${newId()}`;
    /** Item id → quantity. */
    this.cart = new Map(kept?.cart ?? []);
    this.wishlist = new Set(kept?.wishlist ?? []);
    /** Whether the engine has heard of this visitor. */
    this.isKnown = kept?.isKnown ?? false;
    this.save();
  }

  save() {
    const { anonymousId, cart, wishlist, isKnown } = this;
    localStorage.setItem(KEY, JSON.stringify({ anonymousId, cart: [...cart], wishlist: [...wishlist], isKnown }));
  }

  /** Forgets everything: the next visitor has a new id and empty hands. */
  startOver() {
    localStorage.removeItem(KEY);
    this.#outbox = [];
    this.anonymousId = `web-${newId()}`;
    this.cart = new Map();
    this.wishlist = new Set();
    this.isKnown = false;
    this.save();
  }

  /** Notes an event; it goes out with the next recommendation call. */
  note(type, scene, item, more = {}) {
    const amount = item?.price !== undefined && more.quantity !== undefined
      ? { value: Math.round(item.price * more.quantity * 100) / 100, ...(item.currency !== undefined && { currency: item.currency }) }
      : {};
    const { context, ...fields } = more;
    this.#outbox.push({
      id: newId(), type, anonymousId: this.anonymousId, ...(item !== undefined && { itemId: item.id }), ...amount, ...fields,
      context: { scene, ...(REGION !== undefined && { region: REGION }), ...context },
    });
    if (this.#outbox.length > OUTBOX_MAX) this.#outbox.shift();
  }

  /** The body of a recommendation call with all events waiting; `sent` of it is then told what went out. */
  request(fields) {
    const events = this.#outbox.slice();
    return {
      body: {
        anonymousId: this.anonymousId, ...fields,
        ...(REGION !== undefined && { context: { region: REGION } }),
        ...(events.length > 0 && { events }),
      },
      events,
    };
  }

  /** Drops events that the engine has acknowledged. Until then they are sent again: their ids make that safe. */
  sent(events) {
    if (events.length === 0) return;
    this.#outbox = this.#outbox.filter((event) => !events.includes(event));
    this.isKnown = true;
    this.save();
  }
}
