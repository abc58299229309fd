import { h, minor } from './dom.js';

/** The rule that an offer did not meet, in words. */
const RULES = {
  status: 'not active', window: 'not now', campaign: 'not asked for', scene: 'not on this page', channel: 'not on a page', budget: 'budget used up',
  claimed: 'claimed already', holdout: 'withheld, to measure its effect', dismissed: 'declined before', frequency: 'enough offers for now',
  segments: 'for other segments', expression: 'not for you as you are',
};
const percent = (share) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

/** The chain behind a decision: who was asked, what each offer would earn, how the draw went. */
export function why({ offer, explain, model, propensity }, titleOf) {
  const weighed = explain.offers.filter((one) => one.weighed !== undefined).toSorted((a, b) => b.weighed.pacedValueMinor - a.weighed.pacedValueMinor);
  const refused = explain.offers.filter((one) => one.weighed === undefined);
  const chosen = weighed.find(({ id }) => id === offer.id);
  const cell = (words) => h('td', {}, words);
  const row = (name, p, profit, chance, isChosen) => h('tr', { class: isChosen && 'chosen' }, h('th', { scope: 'row' }, name), cell(p), cell(profit), cell(chance));
  return h('details', { class: 'why-offer' },
    h('summary', {}, 'Why this offer?'),
    h('p', { class: 'note' }, `Of ${explain.offers.length} live offers ${weighed.length} are open to you. ${model} puts a purchase without any at ${percent(explain.none.probability)}; what an offer adds to that, times its margin, less its cost, is what it should earn. The draw, which also explores, took this one with probability ${percent(propensity)}.`),
    h('div', { class: 'scroll' }, h('table', {},
      h('thead', {}, h('tr', {}, ...['Offer', 'You buy', 'Earns', 'Chance'].map((name) => h('th', { scope: 'col' }, name)))),
      h('tbody', {},
        ...weighed.map(({ id, weighed: w }) => row(titleOf(id), percent(w.probability), minor(w.pacedValueMinor, offer.currency), w.draw === undefined ? '0 %' : percent(w.draw.propensity), id === offer.id)),
        row('No offer', percent(explain.none.probability), minor(0, offer.currency), percent(explain.none.propensity), false)))),
    chosen !== undefined && h('p', { class: 'note' }, `Pacing: ${percent(chosen.weighed.pacing.spentShare)} of its budget is out, ${percent(chosen.weighed.pacing.plannedShare)} of its time is gone.`),
    refused.length > 0 && h('p', { class: 'note' }, `Not open: ${refused.map(({ id, rules }) => `${titleOf(id)} (${RULES[Object.keys(rules).find((rule) => !rules[rule])] ?? 'shut'})`).join('; ')}.`));
}
