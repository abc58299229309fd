import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { AppError } from '../src/errors.js';
import { describeMachine } from './machine.js';
import { makeReport, printReport } from './report.js';
import { Rig } from './rig.js';
import { SCENARIOS, calibrate, measureRound, type Round, type ScenarioName } from './scenarios.js';
import { FULL, SMOKE } from './sizes.js';

/**
 * `npm run bench [-- --json FILE] [--smoke] [--rounds N] [--seconds S] [--scenario NAME]… [--cpu-prof FOLDER]`
 * Starts everything itself, measures floor and engine in turn, prints a table.
 */
const { values: options } = parseArgs({
  options: {
    json: { type: 'string' }, smoke: { type: 'boolean', default: false }, rounds: { type: 'string' }, seconds: { type: 'string' },
    scenario: { type: 'string', multiple: true }, 'cpu-prof': { type: 'string' },
  },
});
const say = (line: string): void => { process.stderr.write(`${line}\n`); };

async function main(): Promise<void> {
  const base = options.smoke ? SMOKE : FULL;
  const size = { ...base, rounds: whole('rounds', options.rounds) ?? base.rounds, seconds: whole('seconds', options.seconds) ?? base.seconds };
  const wanted = scenarios(options.scenario);
  const machine = describeMachine();
  say(`filling the store: ${size.items} items, ${size.profiles} profiles …`);
  const folder = options['cpu-prof'];
  const rig = await Rig.start(size, folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`]);
  try {
    say(`filled in ${rig.store.seconds} s; calibrating …`);
    const rates = await calibrate(rig, size, wanted);
    const rounds: Round[] = [];
    for (let index = 0; index < size.rounds; index++) {
      say(`round ${index + 1} of ${size.rounds} …`);
      rounds.push(await measureRound(rig, { size, rates, wanted, index }));
    }
    const report = makeReport(machine, rig.store, rounds);
    process.stdout.write(`${printReport(report)}\n`);
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
  } finally {
    await rig.stop();
  }
}

function scenarios(names: readonly string[] | undefined): readonly ScenarioName[] {
  if (names === undefined) return SCENARIOS;
  return names.map((name) => {
    const known = SCENARIOS.find((scenario) => scenario === name);
    if (known === undefined) throw new AppError('invalid_request', `--scenario is one of ${SCENARIOS.join(', ')}; there is no ${name}.`);
    return known;
  });
}

function whole(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new AppError('invalid_request', `--${name} is a whole number from 1 on, not ${text}.`);
  return value;
}

main().catch((error: unknown) => {
  say(error instanceof AppError ? error.message : String(error instanceof Error ? error.stack : error));
  process.exit(1);
});
