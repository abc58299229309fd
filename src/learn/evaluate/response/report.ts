import type { CalibrationReport } from '../calibration.js';
import { barChart, escape, lineChart, type Line } from '../charts.js';
import { reportPage } from '../report-page.js';
import { fraction } from '../report.js';

export type Interval = readonly [low: number, high: number];

/** How one method did. */
export interface ResponseMethod {
  readonly metrics: Readonly<Record<string, number>>;
  /** 95 % intervals of the same. */
  readonly intervals: Readonly<Record<string, Interval>>;
}

/** What `npm run evaluate` writes of a data set of responses. */
export interface ResponseReport {
  readonly dataset: string;
  readonly protocol: 'response' | 'uplift';
  readonly seed: number;
  readonly model: string;
  readonly data: Readonly<Record<string, number | string>>;
  /** Of the model. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly baselines: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly methods: Readonly<Record<string, ResponseMethod>>;
  /** The model beside what it should beat, on the same people: differences with intervals. */
  readonly differences: Readonly<Record<string, { readonly value: number; readonly low: number; readonly high: number }>>;
  readonly calibration?: CalibrationReport;
  /** By outcome and arm: coefficient, and the curve it is of (share of people treated, outcomes gained per person of the arm). */
  readonly qini?: Readonly<Record<string, { readonly value: number; readonly low: number; readonly high: number; readonly curve: readonly (readonly [number, number])[] }>>;
  readonly trainSeconds: number;
  readonly peakRssBytes: number;
  readonly seconds: number;
}

/** Name of the model among the methods. */
export const OURS = 'model';

export function responseTable({ methods, differences, qini = {} }: ResponseReport): string {
  const names = [...new Set(Object.values(methods).flatMap(({ metrics }) => Object.keys(metrics)))];
  const rows = Object.entries(methods).map(([label, { metrics, intervals }]) => [label, ...names.map((name) => cell(metrics[name], intervals[name]))]);
  const table = [['method', ...names], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) => row.map((text, column) => (column === 0 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!))).join('  '));
  return [
    ...lines, '',
    ...Object.entries(differences).map(([name, { value, low, high }]) => `${name}: ${signed(value)} (95 %: ${signed(low)} to ${signed(high)}): ${low > 0 ? 'above' : high < 0 ? 'BELOW' : 'no difference to be told'}`),
    ...Object.entries(qini).map(([name, { value, low, high }]) => `Qini ${name}: ${signed(value)} (95 %: ${signed(low)} to ${signed(high)})`),
  ].join('\n');
}

const cell = (value: number | undefined, interval: Interval | undefined): string =>
  value === undefined ? '' : interval === undefined ? fraction(value) : `${fraction(value)} ±${fraction((interval[1] - interval[0]) / 2)}`;
const signed = (value: number): string => `${value < 0 ? '−' : '+'}${fraction(Math.abs(value))}`;

export function responseHtml(report: ResponseReport): string {
  const { dataset, protocol, model, data, methods, calibration, qini = {} } = report;
  const names = [...new Set(Object.values(methods).flatMap(({ metrics }) => Object.keys(metrics)))];
  const bars = names.map((name) => barChart(name, Object.entries(methods).filter(([, { metrics }]) => metrics[name] !== undefined).map(([label, { metrics, intervals }]) =>
    ({ label, value: Math.max(0, metrics[name]!), interval: intervals[name], isOurs: label === OURS }))));
  return reportPage(`${dataset}: evaluation`, `${protocol}, ${model}`, `
<p>${escape(Object.entries(data).map(([name, value]) => `${name}: ${value}`).join(', '))}. Intervals are 95 %.</p>
<div class="charts">${bars.join('')}${calibration === undefined ? '' : calibrationChart(calibration)}${qiniCharts(qini)}</div>
<h2>All figures</h2><div class="scroll"><pre>${escape(responseTable(report))}</pre></div>`);
}

function calibrationChart({ bins, error }: CalibrationReport): string {
  return lineChart({
    title: `Calibration: share that came by probability said, ten bins of equal count (expected error ${fraction(error)})`, xLabel: 'said',
    lines: [{ label: OURS, isOurs: true, points: bins.map(({ said, came }): [number, number] => [said, came]) }], ticks: [0, 0.2, 0.4, 0.6, 0.8, 1], diagonal: true,
  });
}

function qiniCharts(qini: NonNullable<ResponseReport['qini']>): string {
  return Object.entries(qini).map(([name, { curve }]) => {
    const lines: Line[] = [
      { label: OURS, isOurs: true, points: curve },
      { label: 'by lot', isOurs: false, points: [[0, 0], curve.at(-1) ?? [1, 0]] },
    ];
    return lineChart({ title: `Qini curve: ${name}, gained per person of the arm`, xLabel: 'share of people treated, best first', lines, ticks: [0, 0.25, 0.5, 0.75, 1] });
  }).join('');
}
