import { barChart, escape, lineChart } from './charts.js';
import { HEADLINES } from './metrics.js';
import { reportPage } from './report-page.js';
import { fraction, headlines, SERVED, type EvaluationReport } from './report.js';
import { QUESTIONS_MAX, RECALL_CUTS } from './sources.js';

/** Items a bin needs to be drawn: with fewer, its share is a matter of luck. */
const BIN_MIN = 30;

/** The whole report as one file that needs nothing else. */
export function htmlReport(report: EvaluationReport): string {
  const { dataset, protocol, model, data, trainSeconds, peakRssBytes, latency } = report;
  const names = headlines(report);
  const tiles = [
    ...names.map((name) => [fraction(report.metrics[name]!), name]),
    [`${trainSeconds.toFixed(0)} s`, 'log to model'], [`${Math.round(peakRssBytes / 2 ** 20)} MB`, 'peak memory'], [`${latency.p50Ms.toFixed(2)} ms`, `a request (p99 ${latency.p99Ms.toFixed(2)})`],
  ];
  return reportPage(`${dataset}: evaluation`, `${protocol}, ${model}`, `
<p>${count(data.items)} items, ${count(data.shoppers)} shoppers, ${count(data.events)} events; ${count(data.questions)} questions, all items ranked.
The model was trained from scratch on what the protocol allows, and served by the engine's own path.</p>
<div class="tiles">${tiles.map(([value, name]) => `<div><b>${value}</b><span>${escape(name!)}</span></div>`).join('')}</div>
<h2>Methods</h2><p>With 95 % intervals (bootstrap over shoppers).</p>
<div class="charts">${names.map((name) => barChart(name, methodBars(report, name))).join('')}</div>
<h2>Where it comes from</h2><p>Share of what was wanted among the candidates of each source, and of all as the engine merges them (${count(Math.min(data.questions, QUESTIONS_MAX))} questions); whether the model's scores can be read as chances.</p>
<div class="charts">${recallChart(report)}${calibrationChart(report)}</div>
<div class="scroll">${sourceTable(report)}</div>
<h2>For whom</h2><p>The model's ${escape(HEADLINES[protocol].join(' and '))} by how much is known of the shopper, and by how popular the wanted item is.</p>
<div class="charts">${segmentCharts(report)}</div>
<h2>All figures</h2><div class="scroll">${table(report)}</div>`);
}

const methodBars = ({ methods }: EvaluationReport, name: string): Parameters<typeof barChart>[1] =>
  Object.entries(methods).map(([label, { metrics, intervals }]) => ({ label, value: metrics[name]!, interval: intervals[name], isOurs: label === SERVED }));

function recallChart({ sources }: EvaluationReport): string {
  const lines = Object.entries(sources).map(([label, recall]) =>
    ({ label, isOurs: label === 'union', points: RECALL_CUTS.map((cut): [number, number] => [cut, recall[`recall@${cut}`]!]) }));
  return lineChart({ title: 'Recall of the candidate sources', xLabel: 'candidates', lines, ticks: RECALL_CUTS });
}

function calibrationChart({ calibration }: EvaluationReport): string {
  const points = calibration.bins.filter(({ items }) => items >= BIN_MIN).map(({ said, came }): [number, number] => [said, came]);
  return lineChart({
    title: `Calibration: share that came by chance said (expected error ${fraction(calibration.error)})`, xLabel: calibration.of,
    lines: [{ label: SERVED, isOurs: true, points }], ticks: [0, 0.2, 0.4, 0.6, 0.8, 1], diagonal: true,
  });
}

function segmentCharts({ segments, protocol }: EvaluationReport): string {
  return Object.entries(segments).flatMap(([title, parts]) => HEADLINES[protocol].map((name) =>
    barChart(`${name} by ${title}`, Object.entries(parts).map(([label, { questions, metrics }]) =>
      ({ label: `${label} (${count(questions)})`, value: metrics[name]!, isOurs: true }))))).join('');
}

/** Every source by itself. */
function sourceTable({ sources }: EvaluationReport): string {
  const names = [...new Set(Object.values(sources).flatMap((values) => Object.keys(values)))];
  const rows = Object.entries(sources).map(([source, values]) =>
    `<tr><td>${escape(source)}</td>${names.map((name) => `<td>${values[name] === undefined ? '' : fraction(values[name])}</td>`).join('')}</tr>`);
  return `<table><tr><th>source</th>${names.map((name) => `<th>${escape(name)}</th>`).join('')}</tr>${rows.join('')}</table>`;
}

function table({ methods, metrics }: EvaluationReport): string {
  const names = Object.keys(metrics);
  const head = ['method', ...names, 'coverage@10', 'popularity of the recommended', 'new items', 'seconds'];
  const rows = Object.entries(methods).map(([label, method]) => {
    const cells = [
      ...names.map((name) => `${fraction(method.metrics[name]!)} <small>${method.intervals[name]!.map(fraction).join('–')}</small>`),
      fraction(method['coverage@10']), `${fraction(method.popularityBias.recommended)} <small>wanted ${fraction(method.popularityBias.wanted)}</small>`,
      `${fraction(method.newItemShare.recommended)} <small>wanted ${fraction(method.newItemShare.wanted)}</small>`, method.seconds.toFixed(1),
    ];
    return `<tr${label === SERVED ? ' class="ours"' : ''}><td>${escape(label)}</td>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
  });
  return `<table><tr>${head.map((name) => `<th>${escape(name)}</th>`).join('')}</tr>${rows.join('')}</table>`;
}

const count = (value: number): string => value.toLocaleString('en');
