import { barChart, escape, lineChart, type Bar } from '../evaluate/charts.js';
import { reportPage } from '../evaluate/report-page.js';
import { MODEL, type PolicyReport, type SimulationReport } from './compare.js';

const money = (minor: number): string => Math.round(minor / 100).toLocaleString('en');
const share = (value: number): string => `${(100 * value).toFixed(1)} %`;
const holds = (does: boolean): string => (does ? 'holds' : 'MISSED');

/** One row a policy. */
export function simulationTable({ policies }: SimulationReport): string {
  const rows = Object.entries(policies).map(([name, { profitMinor, gainMinor, profitShare, gainShare, regretMinor, spent, planMissed }]) => [
    name, `${money(profitMinor.mean)} ±${money(profitMinor.high - profitMinor.mean)}`, `${money(gainMinor.mean)} ±${money(gainMinor.high - gainMinor.mean)}`,
    share(profitShare.mean), share(gainShare), money(regretMinor.mean), share(spent.mean), `+${share(planMissed.ahead)} −${share(planMissed.behind)}`,
  ]);
  const table = [['policy', 'profit', 'more than none', 'of the oracle', 'of its gain', 'regret', 'budget spent', 'off the plan'], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  return table.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ')).join('\n');
}

/** What became of what was set out to reach, a line each. */
export function barLines({ bars: { profitShare, aboveRules, budget }, policies }: SimulationReport): string[] {
  const { spent, planMissed } = policies[MODEL]!;
  return [
    `model's profit ≥ 90 % of the oracle's: ${share(profitShare.value)}, ${holds(profitShare.holds)}`,
    ...Object.entries(aboveRules).map(([name, { mean, low, high, holds: does }]) => `model above "${name}" by ${money(mean)} (95 %: ${money(low)} to ${money(high)}): ${holds(does)}`),
    `model's budgets spent within 2 % by the end (least ${share(spent.least)} of any store): ${holds(budget.endsWithin)}; never above: ${holds(budget.neverAbove)}`,
    `model's spending within 2 % of the plan at the end of every day (+${share(planMissed.ahead)} −${share(planMissed.behind)}): ${holds(budget.everyDayWithin)}`,
  ];
}

/** The report as one file that needs nothing else. */
export function simulationHtml(report: SimulationReport): string {
  const { policies, stores, shoppers, days, model, visits } = report;
  const bars = (of: (policy: PolicyReport) => { mean: number; low: number; high: number }, unit: number): Bar[] =>
    Object.entries(policies).map(([label, policy]) => {
      const { mean, low, high } = of(policy);
      return { label, value: Math.max(0, mean / unit), interval: [Math.max(0, low / unit), Math.max(0, high / unit)], isOurs: label === MODEL };
    });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => Math.round(part * days));
  const lines = Object.entries(policies).filter(([name]) => ['all', MODEL, 'oracle', 'prior'].includes(name)).map(([label, { spentByDay }]) =>
    ({ label, isOurs: label === MODEL, points: [[0, 0] as const, ...spentByDay.map((spent, day) => [day + 1, spent] as const)] }));
  const plan = { label: 'plan', isOurs: false, points: [[0, 0] as const, [days, 1] as const] };
  return reportPage('Offers, simulated', `${stores} stores, ${model}`, `
<p>${escape(`${shoppers.toLocaleString('en')} shoppers and ${Math.round(visits).toLocaleString('en')} visits in ${days} days per store, the same visits and the same chance draws under every policy; 95 % intervals over the stores. Simulated: it shows that the stages decide well where the truth is known, not what a shop would earn.`)}</p>
<ul>${barLines(report).map((line) => `<li>${escape(line)}</li>`).join('')}</ul>
<div class="charts">${barChart('Profit per store (thousands)', bars(({ profitMinor }) => profitMinor, 1e5))}${barChart('Profit above no offers, per store (thousands; a loss is drawn as 0)', bars(({ gainMinor }) => gainMinor, 1e5))}
${barChart('Regret beside the oracle, per store (thousands)', bars(({ regretMinor }) => regretMinor, 1e5))}${barChart('Share of the budgets spent', bars(({ spent }) => spent, 1))}
${lineChart({ title: 'Pacing: share of the budgets spent, first store', xLabel: 'day', lines: [...lines, plan], ticks })}</div>
<h2>All figures</h2><div class="scroll">${htmlTable(policies)}</div>`);
}

function htmlTable(policies: SimulationReport['policies']): string {
  const head = ['policy', 'profit', 'more than none', 'regret', 'of the oracle\'s profit', 'of its gain', 'spent', 'all offers off the plan', 'one offer off its plan', 'shown to', 'conversions', 'claims'];
  const rows = Object.entries(policies).map(([name, policy]) => {
    const { profitMinor, gainMinor, regretMinor, profitShare, gainShare, spent, planMissed, offerMissed, shownShare, conversions, claims } = policy;
    const interval = ({ mean, low, high }: PolicyReport['profitMinor']): string => `${money(mean)} <small>${money(low)} to ${money(high)}</small>`;
    const off = ({ ahead, behind }: PolicyReport['planMissed']): string => `+${share(ahead)} −${share(behind)}`;
    const cells = [interval(profitMinor), interval(gainMinor), interval(regretMinor), share(profitShare.mean), share(gainShare), share(spent.mean), off(planMissed), off(offerMissed), share(shownShare), Math.round(conversions), Math.round(claims)];
    return `<tr${name === MODEL ? ' class="ours"' : ''}><td>${escape(name)}</td>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  return `<table><tr>${head.map((name) => `<th>${escape(name)}</th>`).join('')}</tr>${rows.join('')}</table>`;
}
