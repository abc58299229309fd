import type { Latency } from './latency.js';
import type { Machine } from './machine.js';
import type { PipelineSample, PushSample, Round, Sample, SocketSample } from './scenarios.js';
import type { StoreFacts } from './store.js';

/** Engine ÷ floor, medians over the rounds. */
export interface Ratio {
  readonly throughput?: number;
  /** At the same rate: half of the floor's maximum. */
  readonly p50?: number;
  readonly p99?: number;
  /** Median time of one request, nobody else being served. */
  readonly alone?: number;
  /** Our 99th percentile ÷ the floor's median. */
  readonly p99ToFloorP50?: number;
  /** Work done per CPU second of the server process. */
  readonly perCpuSecond?: number;
}

export interface Report {
  readonly machine: Machine;
  readonly store: StoreFacts;
  readonly rounds: number;
  /** Medians over the rounds. */
  readonly scenarios: Readonly<Partial<Record<Exclude<keyof Round, 'alone'>, Sample | PipelineSample | SocketSample | PushSample>>>;
  readonly ratios: Readonly<Record<string, Ratio>>;
  /** What each round measured. */
  readonly samples: readonly Round[];
}

const HTTP = ['recommend', 'decide', 'page', 'events'] as const;

export function makeReport(machine: Machine, store: StoreFacts, samples: readonly Round[]): Report {
  const scenarios: Partial<Record<Exclude<keyof Round, 'alone'>, Sample | PipelineSample | SocketSample | PushSample>> = {};
  for (const name of ['floor', ...HTTP, 'ingestFloor', 'eventsBatch', 'socket', 'push'] as const) {
    const all = samples.map((round) => round[name]).filter((value) => value !== undefined);
    if (all.length > 0) scenarios[name] = medians(all);
  }
  const ratios: Record<string, Ratio> = {};
  for (const name of HTTP) {
    if (scenarios[name] === undefined) continue;
    ratios[name] = {
      throughput: medianOf(samples, (round) => round[name]!.throughput / round.floor.throughput),
      p50: medianOf(samples, (round) => round[name]!.latency.p50 / round.floor.latency.p50),
      p99: medianOf(samples, (round) => round[name]!.latency.p99 / round.floor.latency.p99),
      ...name === 'decide' ? { alone: medianOf(samples, ({ alone }) => alone!.decide.p50 / alone!.floor.p50) } : {},
      perCpuSecond: medianOf(samples, (round) => round.floor.cpuMicroseconds / round[name]!.cpuMicroseconds),
    };
  }
  if (scenarios.eventsBatch !== undefined) {
    ratios['eventsBatch'] = {
      throughput: medianOf(samples, (round) => round.eventsBatch!.throughput / round.ingestFloor!.throughput),
      perCpuSecond: medianOf(samples, (round) => round.ingestFloor!.cpuMicroseconds / round.eventsBatch!.cpuMicroseconds),
    };
  }
  if (scenarios.push !== undefined) {
    // To its own floor, a bare message, and by the median of that: what the slowest events wait in messages of a usual one.
    ratios['push'] = { p50: medianOf(samples, ({ push }) => push!.offer.p50 / push!.hop.p50), p99ToFloorP50: medianOf(samples, ({ push }) => push!.offer.p99 / push!.hop.p50) };
  }
  return { machine, store, rounds: samples.length, scenarios, ratios, samples };
}

/** The report as a person reads it. */
export function printReport({ machine, store, rounds, scenarios, ratios }: Report): string {
  const rows: string[][] = [['', 'most /s', 'CPU µs', 'at /s', 'p50 ms', 'p90', 'p99', 'p99.9', 'max', 'errors']];
  const timed = (name: string, sample: Sample): void => {
    rows.push([name, whole(sample.throughput), whole(sample.cpuMicroseconds), whole(sample.rate), ...times(sample.latency), whole(sample.errors)]);
  };
  for (const name of ['floor', ...HTTP] as const) if (scenarios[name] !== undefined) timed(name, scenarios[name] as Sample);
  if (scenarios.ingestFloor !== undefined) {
    const { throughput, cpuMicroseconds } = scenarios.ingestFloor as PipelineSample;
    rows.push(['bare SET + XADD (events)', whole(throughput), cpuMicroseconds.toFixed(1), ...Array.from({ length: 7 }, () => '')]);
    const batch = scenarios.eventsBatch as Sample;
    rows.push(['batches of 100 (events)', whole(batch.throughput), batch.cpuMicroseconds.toFixed(1), `${whole(batch.rate)}×100`, ...times(batch.latency), whole(batch.errors)]);
  }
  if (scenarios.socket !== undefined) {
    const socket = scenarios.socket as SocketSample;
    rows.push(['socket: event → ack', '', '', whole(socket.rate), ...times(socket.ack), whole(socket.errors)]);
    rows.push(['socket: event → pushed list', '', '', whole(socket.rate), ...times(socket.push), '']);
  }
  if (scenarios.push !== undefined) {
    const push = scenarios.push as PushSample;
    rows.push(['bare message through Redis', '', '', whole(push.rate), ...times(push.hop), '']);
    rows.push(['socket: event → offer', '', '', whole(push.rate), ...times(push.offer), whole(push.errors)]);
  }
  const ratioLines = Object.entries(ratios).map(([name, ratio]) =>
    `  ${name.padEnd(12)} ${Object.entries(ratio).map(([what, value]) => `${what} ${(value as number).toFixed(2)}`).join(' · ')}`);
  return [
    '', `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB · ${machine.os} · Node ${machine.node} · Redis ${machine.redis} · load ${machine.load.join(' ')}`,
    `${whole(store.items)} items, ${whole(store.profiles)} profiles (median ${store.profileBytesMedian} bytes) · medians of ${rounds} round${rounds === 1 ? '' : 's'}`,
    '', ...table(rows), '', 'Engine ÷ floor', ...ratioLines, '',
  ].join('\n');
}

const times = ({ p50, p90, p99, p999, max }: Latency): string[] => [p50, p90, p99, p999, max].map((ms) => ms.toFixed(2));
const whole = (value: number): string => Math.round(value).toLocaleString('en');

export function table(rows: readonly string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  '));
}

const medianOf = <T>(values: readonly T[], read: (value: T) => number): number => median(values.map(read));

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Samples of the same shape, number by number; errors add up, and the first message stays. */
function medians<T extends object>(samples: readonly T[]): T {
  const merged: Record<string, unknown> = {};
  for (const key of Object.keys(samples[0]!)) {
    const values = samples.map((sample) => (sample as Record<string, unknown>)[key]);
    if (key === 'errors') merged[key] = (values as number[]).reduce((sum, value) => sum + value, 0);
    else if (typeof values[0] === 'number') merged[key] = median(values as number[]);
    else if (typeof values[0] === 'object' && values[0] !== null) merged[key] = medians(values as object[]);
    else merged[key] = values.find((value) => value !== undefined);
  }
  return merged as T;
}
