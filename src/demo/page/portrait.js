import { $, h, readable } from './dom.js';

const BARS_MAX = 5;

/**
 * Shows a portrait as the engine tells it, whatever it knows: words as facts, lists of names as chips,
 * weighted names as bars. So a new part of the portrait shows up without a change here.
 */
export function renderPortrait(portrait) {
  const parts = Object.entries(portrait).flatMap(([name, value]) => part(name, value));
  const facts = parts.filter(({ fact }) => fact !== undefined);
  $('#portrait').replaceChildren(
    h('dl', { class: 'facts' }, ...facts.flatMap(({ name, fact }) => [h('dt', {}, readable(spaced(name))), h('dd', { data: { fact: name } }, fact)])),
    ...parts.filter(({ element }) => element !== undefined).map(({ element }) => element));
}

export function renderNobody() {
  $('#portrait').replaceChildren(h('p', { class: 'note' }, 'Nothing is known of you yet. Look at something.'));
}

function part(name, value) {
  if (value === null || value === undefined || HIDDEN.has(name)) return [];
  if (Array.isArray(value)) return value.length === 0 ? [] : [{ element: list(name, value) }];
  if (typeof value === 'object') return Object.entries(value).flatMap(([inner, innerValue]) => part(inner, innerValue));
  if (typeof value === 'number') return value === 0 ? [] : [{ name, fact: Number.isInteger(value) ? String(value) : value.toFixed(2) }];
  if (typeof value === 'boolean') return value ? [{ name, fact: 'yes' }] : [];
  return [{ name, fact: readable(value) }];
}

/** What is on the page already, or means nothing to a reader. */
const HIDDEN = new Set(['id', 'kind', 'shopper', 'userId', 'anonymousId', 'updatedAt', 'firstAt', 'lastOrderAt', 'cart', 'wishlist', 'recent']);

function list(name, values) {
  const entries = values.map((value) => (typeof value === 'object' ? { name: nameOf(value), weight: weightOf(value) } : { name: String(value) }));
  const heading = h('h3', {}, readable(spaced(name)));
  if (entries.every(({ weight }) => weight === undefined)) {
    return h('div', {}, heading, h('ul', { class: 'chips' }, ...entries.map((entry) => h('li', {}, readable(entry.name)))));
  }
  const most = Math.max(...entries.map(({ weight }) => Math.abs(weight ?? 0)), 1e-9);
  return h('div', {}, heading, h('ul', { class: 'weights' }, ...entries.slice(0, BARS_MAX).map((entry) => {
    const bar = h('span', { class: 'bar' });
    bar.style.setProperty('--share', String(Math.max(0, (entry.weight ?? 0) / most)));
    return h('li', {}, h('span', {}, entry.name.replaceAll('/', ' › ').replaceAll('-', ' ')), bar);
  })));
}

const nameOf = (value) => String(value.name ?? value.tag ?? value.category ?? value.brand ?? value.level ?? value.id ?? '');
const weightOf = (value) => [value.weight, value.share, value.score, value.value, value.affinity].find((number) => typeof number === 'number');
const spaced = (name) => name.replaceAll(/([a-z])([A-Z])/g, (_, end, start) => `${end} ${start.toLowerCase()}`);
