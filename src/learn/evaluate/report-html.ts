import { barChart, escape, lineChart } from './charts.js';
import { HEADLINES } from './metrics.js';
import { fraction, headlines, SERVED, type EvaluationReport } from './report.js';
import { QUESTIONS_MAX, RECALL_CUTS } from './sources.js';

const STYLE = `
:root { color-scheme: light dark; --text: light-dark(#1c2330, #e6e9ef); --soft: light-dark(#667085, #98a2b3); --back: light-dark(#fff, #12161d);
  --panel: light-dark(#f6f7f9, #1a2029); --rule: light-dark(#dfe3e8, #2c3440); --ours: light-dark(#0b6e4f, #3ecf9a); --theirs: light-dark(#a9b4c2, #4b596b);
  --s0: light-dark(#b45309, #f5a742); --s1: light-dark(#1d4ed8, #7aa2ff); --s2: light-dark(#a21caf, #e58af0); --s3: light-dark(#be123c, #ff7d92);
  --s4: light-dark(#4d7c0f, #a3d65c); --s5: light-dark(#475569, #a6b3c6); }
body { margin: 0 auto; max-width: 1360px; padding: 24px; font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); }
h1 { font-size: 24px; margin: 0 } h2 { font-size: 18px; margin: 32px 0 8px } p { color: var(--soft); margin: 4px 0 16px; max-width: 80ch }
.tiles { display: flex; flex-wrap: wrap; gap: 12px } .tiles div { background: var(--panel); border-radius: 8px; padding: 10px 18px }
.tiles b { display: block; font-size: 22px } .tiles span { color: var(--soft) }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 560px), 1fr)); gap: 16px }
figure { margin: 0; background: var(--panel); border-radius: 8px; padding: 14px } figcaption { font-weight: 600; margin-bottom: 6px } svg { width: 100%; display: block }
svg text { font-size: 13px; fill: var(--text); dominant-baseline: middle } .label, .end { text-anchor: end } .middle { text-anchor: middle } svg .value { fill: var(--soft); font-size: 12px }
rect.ours { fill: var(--ours) } rect.theirs { fill: var(--theirs) } .whisker { stroke: var(--text); stroke-width: 1.5; fill: none } .dashed { stroke-dasharray: 4 4; opacity: .6 }
.grid { stroke: var(--rule) } .line { fill: none; stroke-width: 2 } .line.ours { stroke: var(--ours); stroke-width: 3 } text.name.ours { fill: var(--ours); font-weight: 600 }
${Array.from({ length: 6 }, (_, i) => `.line.series${i} { stroke: var(--s${i}) } text.name.series${i} { fill: var(--s${i}) }`).join('\n')}
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100% } th, td { padding: 5px 10px; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap }
th:first-child, td:first-child { text-align: left } tr.ours { font-weight: 600; color: var(--ours) } small { color: var(--soft); font-weight: 400 }`;

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
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(dataset)}: evaluation</title><style>${STYLE}</style>
<h1>${escape(dataset)} <small>${escape(protocol)}, ${escape(model)}</small></h1>
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
<h2>All figures</h2><div class="scroll">${table(report)}</div></html>
`;
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
