import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { runCommand } from '../../src/command.js';
import { AppError } from '../../src/errors.js';
import { describeMachine } from '../machine.js';
import { table } from '../report.js';
import type { Outcome, Scenario } from './scenario.js';
import { SCENARIOS } from './scenarios.js';

/**
 * `npm run bench:live -- SCENARIO… [--seed N] [--json FILE] [--cpu-prof FOLDER] [--sockets N] …`
 * What is promised of live rooms, measured and proved: starts everything itself, prints a line as it goes and a table, and
 * fails where a promise is broken or an aim missed. Each number in a scenario's size is an option.
 */
const say = (line: string): void => { process.stderr.write(`${line}\n`); };

async function main(): Promise<void> {
  const sizes = [...new Set(Object.values(SCENARIOS).flatMap(({ full }) => Object.keys(full)))];
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: '1' }, json: { type: 'string' }, 'cpu-prof': { type: 'string' },
      ...Object.fromEntries(sizes.map((name) => [name, { type: 'string' } as const])),
    },
  });
  const given: Readonly<Record<string, string | boolean | undefined>> = values;
  const chosen = positionals.map((name) => [name, scenarioOf(name)] as const);
  if (chosen.length === 0) throw new AppError('invalid_request', `Say what to measure:\n${Object.entries(SCENARIOS).map(([name, { about }]) => `  ${name.padEnd(8)} ${about}`).join('\n')}`);
  const machine = describeMachine();
  const report: Record<string, unknown> = { machine };
  const folder = values['cpu-prof'];
  const tools = { seed: whole('seed', values.seed), say, nodeArgs: folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`] };
  process.stdout.write(`${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB · ${machine.os} · Node ${machine.node} · Redis ${machine.redis} · load ${machine.load.join(' ')}\n`);
  let failed = 0;
  for (const [name, scenario] of chosen) {
    const size = Object.fromEntries(Object.keys(scenario.full).filter((key) => given[key] !== undefined).map((key) => [key, whole(key, String(given[key]))]));
    const outcome = await scenario.run(size, tools);
    const { measured, rows, broken, missed } = outcome;
    report[name] = { size: { ...scenario.full, ...size }, seed: tools.seed, ...measured, broken, missed };
    failed += broken.length + missed.length;
    process.stdout.write(`\n${name}: ${scenario.about}\n\n${table(rows).join('\n')}\n\n${verdict(outcome)}\n`);
  }
  const json = values['json'];
  if (json !== undefined) await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

function verdict({ broken, missed }: Outcome): string {
  const lines = [...broken.map((line) => `BROKEN: ${line}`), ...missed.map((line) => `missed: ${line}`)];
  return lines.length === 0 ? 'every promise kept' : lines.join('\n');
}

function scenarioOf(name: string): Scenario {
  const found = SCENARIOS[name];
  if (found === undefined) throw new AppError('invalid_request', `bench:live measures ${Object.keys(SCENARIOS).join(', ')}; there is no ${name}.`);
  return found;
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new AppError('invalid_request', `--${name} is a whole number, not ${text}.`);
  return value;
}

runCommand(main);
