import { artOf } from './art.js';
import { card } from './cards.js';
import { $, h, minor, money, readable } from './dom.js';

/** Opens the product dialog. `actions` maps data-action to what it does; the dialog closes after those in `CLOSING`. */
const CLOSING = new Set(['buy', 'not-interested']);

export function showProduct(item, { actions, isWished, why }) {
  const dialog = $('#product');
  const canBuy = item.price !== undefined && item.stock !== 0;
  const button = (action, label, look = 'quiet', attributes = {}) => h('button', {
    type: 'button', class: look, 'data-action': action, ...attributes,
    onclick: (event) => {
      actions[action](item, event.currentTarget);
      if (CLOSING.has(action)) dialog.close();
    },
  }, label);
  dialog.replaceChildren(
    h('button', { type: 'button', class: 'close', 'data-action': 'close', 'aria-label': 'Close', onclick: () => dialog.close() }, '×'),
    h('div', { class: 'product-body' },
      h('div', { class: 'frame' }, artOf(item)),
      h('div', { class: 'product-text' },
        h('p', { class: 'crumbs' }, item.category.map(readable).join(' › ')),
        h('h2', { id: 'product-title' }, item.title),
        h('p', { class: 'price large' }, item.price === undefined ? readable(item.kind ?? 'story') : money(item.price, item.currency)),
        h('p', { class: 'note' }, factsOf(item)),
        h('ul', { class: 'chips' }, ...(item.tags ?? []).map((tag) => h('li', {}, readable(tag)))),
        why !== undefined && h('p', { class: 'why' }, why),
        h('div', { class: 'actions' },
          canBuy && button('add-to-cart', 'Add to cart', 'primary'),
          canBuy && button('buy', 'Buy now'),
          button('wishlist', isWished ? '♥ On your wishlist' : '♡ Wishlist', 'quiet', { 'aria-pressed': String(isWished) }),
          button('like', 'Like'),
          button('share', 'Share'),
          button('not-interested', 'Not interested', 'quiet faint')))),
    h('section', { 'aria-labelledby': 'with-title' }, h('h3', { id: 'with-title' }, 'Goes well with'), h('ul', { id: 'with', class: 'strip small' })));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

function factsOf({ brand, attributes, stock }) {
  const parts = [
    brand, attributes?.color, attributes?.rating !== undefined && `★ ${attributes.rating}`,
    stock === 0 ? 'sold out' : stock !== undefined && stock < 5 ? `only ${stock} left` : stock !== undefined && 'in stock',
  ];
  return parts.filter(Boolean).join(' · ');
}

/** Fills the "goes well with" list of the open product. */
export function showRelated(recommended, onOpen) {
  $('#with')?.replaceChildren(...recommended.map(({ id, item, source }) => card({ id, ...item }, { source, onOpen })));
}

/** @param lines `[{item, quantity}]` */
export function showCart(lines, { onRemove, onCheckOut, onOpen }) {
  const dialog = $('#cart');
  dialog.replaceChildren(
    h('button', { type: 'button', class: 'close', 'data-action': 'close', 'aria-label': 'Close', onclick: () => dialog.close() }, '×'),
    h('h2', { id: 'cart-title' }, 'Your cart'),
    lines.length === 0
      ? h('p', { class: 'note' }, 'Nothing here yet.')
      : h('ul', { class: 'lines' }, ...lines.map(({ item, quantity }) => h('li', { data: { itemId: item.id } },
        h('button', { type: 'button', class: 'thumb', 'aria-label': `Show ${item.title}`, onclick: () => { dialog.close(); onOpen(item); } }, artOf(item)),
        h('span', {}, item.title, h('small', {}, `${quantity} × ${money(item.price ?? 0, item.currency)}`)),
        h('button', { type: 'button', class: 'quiet', 'data-action': 'remove-from-cart', onclick: () => onRemove(item) }, 'Remove')))),
    lines.length > 0 && h('div', { id: 'totals', 'aria-live': 'polite' }, h('p', { class: 'note' }, 'Adding up…')),
    lines.length > 0 && h('button', { type: 'button', class: 'primary wide', 'data-action': 'check-out', onclick: (event) => onCheckOut(event.currentTarget) }, 'Buy it all'));
  if (!dialog.open) dialog.showModal();
}

const NOT_APPLIED = {
  below_spend: ({ missingMinor }, money) => `${money(missingMinor)} more to go`, nothing_applies: () => 'for nothing in this cart',
  not_combined: () => 'not together with the others', claim_expired: () => 'has expired',
};

/** Shows what the cart comes to. @param check the engine's answer @param titleOf names an offer */
export function showTotals(check, currency, titleOf) {
  const amount = (amountMinor) => minor(amountMinor, currency);
  const row = (name, words, attributes = {}) => [h('dt', attributes, name), h('dd', attributes, words)];
  $('#totals')?.replaceChildren(
    h('dl', { class: 'facts totals' },
      ...row('Items', amount(check.subtotalMinor)),
      ...row('Delivery', amount(check.shippingMinor)),
      ...check.applied.flatMap(({ offerId, discountMinor }) => row(titleOf(offerId), `−${amount(discountMinor)}`, { class: 'discount', data: { offerId } })),
      ...row('Total', h('b', { id: 'cart-total', data: { totalMinor: check.totalMinor } }, amount(check.totalMinor)), { class: 'sum' })),
    ...check.notApplied.filter(({ reason }) => reason in NOT_APPLIED).map((one) =>
      h('p', { class: 'note' }, `${titleOf(one.offerId)}: ${NOT_APPLIED[one.reason](one, amount)}.`)));
}
