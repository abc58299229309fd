import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { runCommand } from '../../src/command.js';
import { AppError } from '../../src/errors.js';
import { describeMachine } from '../machine.js';
import { runCampaign } from './campaign.js';
import type { FaultResult } from './fault-run.js';
import { runMillion } from './million.js';
import { measureThroughput } from './throughput.js';

/**
 * `npm run bench:claims [-- throughput|million|faults…] [--claims N] [--clients N] [--runs N] [--seed N] [--wait-replicas N] [--json FILE]`
 * What is promised of claims, measured and proved: starts everything itself, prints a line as it goes, and fails where a promise is broken.
 */
const PARTS = ['throughput', 'million', 'faults'] as const;
type Part = (typeof PARTS)[number];
const THROUGHPUT = { rounds: 60, calls: 4000, lanes: 64 };
const MILLION = { offersPerSegment: 8, offerCount: 12_500 };

const say = (line: string): void => { process.stdout.write(`${line}\n`); };

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      claims: { type: 'string', default: '1000000' }, clients: { type: 'string', default: '64' },
      runs: { type: 'string', default: '100' }, seed: { type: 'string', default: '0' }, 'wait-replicas': { type: 'string', default: '1' }, json: { type: 'string' },
    },
  });
  const parts = positionals.length === 0 ? PARTS : positionals.map(partOf);
  const report: Record<string, unknown> = { machine: describeMachine() };
  const seed = whole('seed', values.seed);
  let broken = 0;
  if (parts.includes('throughput')) report['throughput'] = await throughput();
  if (parts.includes('million')) {
    const result = await runMillion({ ...MILLION, claims: whole('claims', values.claims), clients: whole('clients', values.clients) }, seed, say);
    report['million'] = result;
    broken += result.violations.length;
    const { counts: { made, requests, unknown, refused }, segments, offers, seconds } = result;
    say(`${made} claims on ${offers} offers in ${segments} segments, ${requests} requests, ${unknown} without a certain answer, refused ${JSON.stringify(refused)}; ${Math.round(seconds)} s`);
    say(`violations: ${result.violations.length} ${JSON.stringify(result.violations.slice(0, 10))}`);
  }
  if (parts.includes('faults')) {
    const results = await runCampaign(Array.from({ length: whole('runs', values.runs) }, (_, i) => seed + i), { waitReplicas: whole('wait-replicas', values['wait-replicas']), onRun: sayRun, onTrouble: ({ seed, fault }, error) => { say(`seed ${seed}: ${fault} is made again: ${String(error)}`); } });
    report['faults'] = results.map(({ plan: { seed, fault }, counts, violations }) => ({ seed, fault, counts, violations }));
    const found = results.reduce((sum, { violations }) => sum + violations.length, 0);
    broken += found;
    say(`${results.length} runs, ${results.reduce((sum, { counts }) => sum + counts.made, 0)} claims made, ${results.reduce((sum, { counts }) => sum + counts.unknown, 0)} answers without certainty; violations: ${found}`);
  }
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
  process.exitCode = broken === 0 ? 0 : 1;
}

async function throughput(): Promise<unknown> {
  const result = await measureThroughput(THROUGHPUT);
  const { claims, noop, ratio, cpuRatio } = result;
  say(`${Math.round(claims)} claims/s beside ${Math.round(noop)} calls/s of a script that does nothing: ${ratio.toFixed(2)} (by CPU time ${cpuRatio.toFixed(2)})`);
  return result;
}

function sayRun({ plan: { seed, fault, beginsMs, lastsMs }, counts: { requests, made, unknown }, violations, folder }: FaultResult): void {
  say(`seed ${seed}: ${fault} after ${beginsMs} ms for ${lastsMs} ms; ${requests} requests, ${made} claims, ${unknown} unknown; ${violations.length} violations`);
  for (const { rule, what } of violations.slice(0, 5)) say(`  ${rule}: ${what}`);
  if (folder !== undefined) say(`  history in ${folder}`);
}

function partOf(name: string): Part {
  const part = PARTS.find((known) => known === name);
  if (part === undefined) throw new AppError('invalid_request', `bench:claims measures ${PARTS.join(', ')}; there is no ${name}.`);
  return part;
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new AppError('invalid_request', `--${name} is a whole number, not ${text}.`);
  return value;
}

runCommand(main);
