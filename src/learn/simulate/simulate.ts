import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { runCommand } from '../../command.js';
import { AppError } from '../../errors.js';
import { showProgress } from '../progress-bars.js';
import { compare } from './compare.js';
import { barLines, simulationHtml, simulationTable } from './report.js';

/** `npm run simulate`: policies of offers compared where the truth is known. The same options give the same figures. */
const USAGE = `npm run simulate -- [options]
  --seed N       of the first store; further stores count on (default: 1)
  --stores N     independent stores, from 2: the intervals are over them (default: 6)
  --shoppers N   of each store (default: 4000)
  --days N       that the offers run (default: 28)
  --model DIR    the response model (default: models/response)
  --json FILE, --html FILE   the whole report`;

async function main(): Promise<void> {
  const { values: { help, json, html, model, ...numbers } } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' }, stores: { type: 'string', default: '6' }, shoppers: { type: 'string', default: '4000' }, days: { type: 'string', default: '28' },
      model: { type: 'string', default: 'models/response' }, json: { type: 'string' }, html: { type: 'string' }, help: { type: 'boolean', default: false },
    },
  });
  if (help) {
    console.log(USAGE);
    return;
  }
  const { onProgress, stop } = showProgress();
  const report = await compare({
    seed: whole('seed', numbers.seed, 0), stores: whole('stores', numbers.stores, 2), shoppers: whole('shoppers', numbers.shoppers, 1), days: whole('days', numbers.days, 1),
    modelFolder: model, onProgress,
  }).finally(stop);
  if (json !== undefined) await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
  if (html !== undefined) await writeFile(html, simulationHtml(report));
  console.log(`${simulationTable(report)}\n\n${barLines(report).join('\n')}`);
}

function whole(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) throw new AppError('invalid_request', `--${name} is a whole number from ${least}, not ${text}.`);
  return value;
}

runCommand(main);
