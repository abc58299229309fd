import { $, h, readable, svg } from './dom.js';

const FEATURES_SHOWN = 9;
const CALLS_KEPT = 40;

/** The features worth watching while one clicks; others fill up by value. */
const INTERESTING = /^(select_item|view_item|add_to_cart|purchase|dismiss|like|session_events|cart_lines|price_level_.*_share|category|brand)/;

/** Shows named values as bars; those that have just changed light up. */
export class Features {
  #before = new Map();

  render(features) {
    const all = Object.entries(features).filter(([, value]) => typeof value === 'number' && value !== 0);
    const worth = all.filter(([name]) => INTERESTING.test(name) && !/_(1d|7d|90d)$/.test(name));
    const rows = worth.slice(0, FEATURES_SHOWN);
    const most = Math.max(1, ...rows.map(([, value]) => Math.abs(value)));
    $('#features').replaceChildren(...rows.flatMap(([name, value]) => {
      const bar = h('span', { class: this.#before.get(name) === value ? 'bar' : 'bar changed' });
      bar.style.setProperty('--share', String(Math.min(1, Math.abs(value) / most)));
      return [h('dt', {}, readable(name)), h('dd', {}, bar, value.toFixed(2))];
    }));
    if (rows.length === 0) $('#features').replaceChildren(h('p', { class: 'note' }, 'All zero: you have only just come.'));
    this.#before = new Map(all);
  }
}

/** Every call's latency: one line of the last calls, and the latest and median by call. */
export class Latency {
  #calls = [];
  #byName = new Map();

  add({ name, ms, ok }) {
    this.#calls = [...this.#calls, { ms, ok }].slice(-CALLS_KEPT);
    this.#byName.set(name, [...(this.#byName.get(name) ?? []), ms].slice(-CALLS_KEPT));
    this.#draw();
  }

  #draw() {
    const top = Math.max(10, ...this.#calls.map(({ ms }) => ms));
    const place = ({ ms }, index) => [4 + (index * 292) / (CALLS_KEPT - 1), 56 - (ms / top) * 48];
    const points = this.#calls.map(place);
    const [x, y] = points.at(-1);
    $('#latency').replaceChildren(
      svg('svg', { viewBox: '0 0 300 64', class: 'spark', role: 'img', 'aria-label': `Latest call ${this.#calls.at(-1).ms.toFixed(1)} milliseconds` },
        svg('line', { x1: 4, x2: 296, y1: 56, y2: 56, class: 'axis' }),
        svg('polyline', { points: points.map((point) => point.map((v) => v.toFixed(1)).join(',')).join(' '), class: 'line' }),
        ...this.#calls.flatMap(({ ok }, index) => (ok ? [] : [svg('circle', { cx: points[index][0], cy: points[index][1], r: 3, class: 'failed' })])),
        svg('circle', { cx: x, cy: y, r: 3.4, class: 'dot' })),
      h('table', {},
        h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'Call'), h('th', { scope: 'col' }, 'Latest'), h('th', { scope: 'col' }, 'Median'))),
        h('tbody', {}, ...[...this.#byName].map(([name, times]) => h('tr', { data: { call: name } },
          h('th', { scope: 'row' }, readable(name)), h('td', {}, `${times.at(-1).toFixed(1)} ms`), h('td', {}, `${median(times).toFixed(1)} ms`))))));
  }
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}
