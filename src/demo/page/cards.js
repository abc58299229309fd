import { artOf } from './art.js';
import { glide, h, money, readable } from './dom.js';

/** How the sources of a recommendation are called on a card. */
const SOURCES = {
  related: 'goes with it', neighbors: 'like what you saw', category: 'a category you like', brand: 'a brand you like',
  trending: 'trending', buy_again: 'buy again', fresh: 'new in', new: 'new in', popular: 'popular', pinned: "editor's pick",
  explore: 'a surprise', requested: 'ranked for you',
};

export const sourceWords = (source) => SOURCES[source] ?? readable(source);

/** One product as a list entry; the whole card is one button. */
export function card(item, { source, place, onOpen, tag = 'li' }) {
  const isOut = item.stock === 0;
  return h(tag, { class: 'card', data: { itemId: item.id, rootCategory: item.category[0], ...(source !== undefined && { source }) } },
    h('button', { type: 'button', 'data-action': 'open', onclick: () => onOpen(item) },
      h('span', { class: 'frame' }, artOf(item), badge(item, isOut)),
      source !== undefined && h('span', { class: 'source' }, sourceWords(source)),
      h('span', { class: 'name' }, item.title),
      h('span', { class: 'foot' },
        h('span', { class: 'price' }, item.price === undefined ? readable(item.kind ?? 'story') : money(item.price, item.currency)),
        h('span', { class: 'where' }, place ?? readable(item.category.at(-1))))));
}

function badge(item, isOut) {
  if (isOut) return h('span', { class: 'badge out' }, 'Sold out');
  if (item.stock !== undefined && item.stock < 5) return h('span', { class: 'badge' }, `Only ${item.stock} left`);
  const ageDays = (Date.now() - Date.parse(item.publishedAt ?? 0)) / 86_400_000;
  return ageDays < 14 && h('span', { class: 'badge new' }, 'New');
}

/** Shows the list the engine ranked; cards that stay glide to their new places. */
export function renderStrip(list, recommended, onOpen) {
  const old = new Map([...list.children].map((child) => [child.dataset.itemId, child]));
  const next = recommended.map(({ id, item, source }) => {
    const kept = old.get(id);
    if (kept?.dataset.source === source) return kept;
    return card({ id, ...item }, { source, place: readable(item.category[0]), onOpen });
  });
  glide(list, () => list.replaceChildren(...next));
  list.scrollTo({ left: 0, behavior: 'smooth' });
  list.setAttribute('aria-busy', 'false');
}

export function renderGrid(list, items, onOpen) {
  list.replaceChildren(...items.map((item) => card(item, { onOpen })));
  list.setAttribute('aria-busy', 'false');
}
