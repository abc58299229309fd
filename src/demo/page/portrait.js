import { $, h, moment, money, readable } from './dom.js';

const BARS_MAX = 4;
const PRICE_WORDS = ['', 'the cheapest', 'low', 'middle', 'high', 'the dearest'];

/**
 * Shows the profile as a person reads it, and what it rests on: a few facts, segments, and interests as bars.
 * @param growth points and level, undefined where there are none
 */
export function renderPortrait(portrait, growth) {
  const { lifecycle, priceLevel, socialRole, sessions, orders, spentMinor, cartItems, wishlistItems, segments, evidence } = portrait;
  const facts = [
    ['Lifecycle', readable(lifecycle), evidence.lifecycle],
    ['Price range', priceLevel === null ? undefined : readable(PRICE_WORDS[Math.round(priceLevel)])],
    ['Social role', readable(socialRole), evidence.socialRole],
    ['Visits', sessions],
    ['Orders', orders === 0 ? undefined : `${orders}, ${money(spentMinor / 100)}`],
    ['In the cart', cartItems || undefined],
    ['On the wishlist', wishlistItems || undefined],
    ['Points', growth?.points === undefined ? undefined : pointsOf(growth)],
    ['Badges', growth?.badges?.map(({ title }) => title).join(', ') || undefined],
  ].filter(([, value]) => value !== undefined);
  $('#portrait').replaceChildren(
    h('dl', { class: 'facts' }, ...facts.flatMap(([name, value, why]) => [h('dt', {}, name), h('dd', { title: why }, String(value))])),
    h('p', { class: 'note evidence' }, `${readable(evidence.lifecycle)}.`),
    ...chips('Segments', segments.filter(({ kind }) => kind === 'segment')), ...chips('Tagged', segments.filter(({ kind }) => kind === 'tag')),
    ...interests('Categories', portrait.categories), ...interests('Brands', portrait.brands), ...interests('Tags', portrait.tags));
}

export function renderNobody() {
  $('#portrait').replaceChildren(h('p', { class: 'note' }, 'Nothing is known of you yet. Look at something.'));
}

function pointsOf({ points, level }) {
  const { number = 0, title, nextAt } = level ?? {};
  return [`${points}${nextAt === undefined ? '' : ` of ${nextAt}`}`, title ?? (number > 0 && `level ${number}`)].filter(Boolean).join(', ');
}

function chips(title, memberships) {
  if (memberships.length === 0) return [];
  return [h('h3', {}, title), h('ul', { class: 'chips' }, ...memberships.map(({ id, title, since }) =>
    h('li', { data: { segment: id }, title: `${title}, since ${moment(since)}` }, readable(id))))];
}

function interests(title, entries) {
  if (entries.length === 0) return [];
  const most = Math.max(...entries.map(({ weight, now }) => weight + now));
  return [h('h3', {}, title), h('ul', { class: 'weights' }, ...entries.slice(0, BARS_MAX).map(({ name, weight, now, evidence }) => {
    const bar = h('span', { class: 'bar', title: `lasting ${weight}, this visit ${now}` });
    bar.style.setProperty('--share', String(Math.max(0, (weight + now) / most)));
    return h('li', { data: { interest: name } }, h('span', {}, name.split('/').map(readable).join(' › ')), bar, evidence !== '' && h('small', {}, evidence));
  }))];
}
