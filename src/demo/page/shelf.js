import { renderGrid } from './cards.js';
import { $, h, readable } from './dom.js';

const PAGE_ITEMS = 24;
const FETCH_ITEMS = 200;
/** The page shows a shop, not a warehouse: it stops reading the catalog here. */
const CATALOG_MAX = 5000;
/** Items the engine ranks for one tab. */
const RANKED_MAX = 100;

const ORDERS = {
  new: (a, b) => (b.publishedAt ?? '').localeCompare(a.publishedAt ?? ''),
  cheap: (a, b) => (a.price ?? Infinity) - (b.price ?? Infinity),
  dear: (a, b) => (b.price ?? -1) - (a.price ?? -1),
};

/** The grid: tabs by root category, a sort order ("for you" asks the engine), and more on demand. */
export class Shelf {
  /** Item id → item, of all that is known so far. */
  items = new Map();
  #category;
  #shown = PAGE_ITEMS;
  #sorted = [];
  #turn = 0;

  /** @param rank asks the engine for a list: `({filter, limit}) → items` */
  constructor({ api, rank, onOpen }) {
    this.api = api;
    this.rank = rank;
    this.onOpen = onOpen;
    $('#sort').addEventListener('change', () => void this.refresh());
    $('[data-action=show-more]').addEventListener('click', () => {
      this.#shown += PAGE_ITEMS;
      this.#draw();
    });
  }

  /** Reads the catalog page by page; the tabs are there when it is done. */
  async load() {
    let cursor;
    do {
      const page = await this.api.items(FETCH_ITEMS, cursor);
      for (const item of page.items) this.items.set(item.id, item);
      ({ cursor } = page);
    } while (cursor !== undefined && cursor !== null && this.items.size < CATALOG_MAX);
    this.#drawTabs();
  }

  async refresh() {
    const turn = ++this.#turn;
    this.#shown = PAGE_ITEMS;
    const order = ORDERS[$('#sort').value];
    const sorted = order === undefined ? await this.#forYou() : this.#inCategory().sort(order);
    if (turn !== this.#turn) return; // another tab was chosen meanwhile
    this.#sorted = sorted;
    this.#draw();
  }

  async #forYou() {
    const filter = { inStock: false, ...(this.#category !== undefined && { category: [this.#category] }) };
    const ranked = await this.rank({ filter, limit: RANKED_MAX });
    const ids = new Set(ranked.map(({ id }) => id));
    return [...ranked, ...this.#inCategory().filter(({ id }) => !ids.has(id))];
  }

  #inCategory() {
    const all = [...this.items.values()];
    return this.#category === undefined ? all : all.filter((item) => item.category[0] === this.#category);
  }

  #draw() {
    renderGrid($('#grid'), this.#sorted.slice(0, this.#shown), this.onOpen);
    $('[data-action=show-more]').hidden = this.#shown >= this.#sorted.length;
  }

  #drawTabs() {
    const roots = [...new Set([...this.items.values()].map((item) => item.category[0]))].sort((a, b) => a.localeCompare(b));
    $('#tabs').replaceChildren(...[undefined, ...roots].map((root) => h('button', {
      type: 'button', 'data-category': root ?? '', 'aria-pressed': String(root === this.#category),
      onclick: () => {
        this.#category = root;
        for (const tab of $('#tabs').children) tab.setAttribute('aria-pressed', String(tab.dataset.category === (root ?? '')));
        void this.refresh();
      },
    }, root === undefined ? 'Everything' : readable(root))));
  }
}
