import { parseArgs } from 'node:util';
import { listSlots } from '../archive/files.js';
import { runCommand } from '../command.js';
import { readPlaces } from '../config.js';
import { AppError } from '../errors.js';
import { readTask } from './evaluate/datasets/read-task.js';
import { tellSkipped } from './evaluate/datasets/tell-skipped.js';
import { archiveTask } from './models/archive-task.js';
import { trainModel } from './pipeline.js';
import { showProgress } from './progress-bars.js';
import { readExported } from './ranker/warm-start.js';
import { readResponseFolder, trainResponseOnArchive, trainResponseOnSimulation } from './response/train-response.js';
import { trainOnDemo } from './train-on-demo.js';

/**
 * `npm run train`: events → a model folder. From a store's archive, from a folder of tables shaped like the public data
 * sets, or, without `--data`, from the demo's simulated shoppers. The same data, options and seed give the same model.
 */
const USAGE = `npm run train -- [options]
  --data DIR      a store's archive (hourly NDJSON), or a folder of CSV tables; the demo's shoppers when not given
  --from DIR      a model folder to go on from (default: of an archive models/default, else none)
  --out DIR       where to write the model (default: models/default of the demo's shoppers, .data/trained of other data)
  --seed N        (default: 7)
  --shoppers N, --days N   of the demo (default: 1500, 45)
  --response      the model of how shoppers respond to offers, from the decisions in an archive; without --data from
                  simulated stores (default: 3000 shoppers, 28 days each) to models/response`;
/** The model that ships: what the demo's shoppers made, and where a store begins. */
const SHIPPED = 'models/default';
const SHIPPED_RESPONSE = 'models/response';

interface Chosen {
  readonly data: string | undefined;
  readonly from: string | undefined;
  readonly out: string;
  readonly seed: number;
  readonly shoppers: number;
  readonly days: number;
}

async function main(): Promise<void> {
  const { values: { help, response, data, from, ...given } } = parseArgs({
    options: {
      data: { type: 'string' }, from: { type: 'string' }, out: { type: 'string' }, response: { type: 'boolean', default: false },
      seed: { type: 'string', default: '7' }, shoppers: { type: 'string' }, days: { type: 'string' }, help: { type: 'boolean', default: false },
    },
  });
  if (help) {
    console.log(USAGE);
    return;
  }
  const { shipped, shoppers, days } = response ? { shipped: SHIPPED_RESPONSE, shoppers: '3000', days: '28' } : { shipped: SHIPPED, shoppers: '1500', days: '45' };
  const chosen: Chosen = {
    data, from, out: given.out ?? (data === undefined ? shipped : '.data/trained'),
    seed: whole('seed', given.seed), shoppers: whole('shoppers', given.shoppers ?? shoppers), days: whole('days', given.days ?? days),
  };
  await (response ? trainResponse(chosen) : trainRanker(chosen));
  console.log(`→ ${chosen.out}`);
}

async function trainRanker({ data, from, out, seed, shoppers, days }: Chosen): Promise<void> {
  if (from !== undefined) await checkStart(from, readExported);
  const { onProgress, stop } = showProgress();
  const common = { out, seed, clock: Date.now, onProgress };
  if (data === undefined) {
    const { test } = await trainOnDemo({ ...common, from, shoppers, days }).finally(stop);
    console.table(test.candidates);
    console.table(test.shown);
  } else {
    const isArchive = (await listSlots(data, 'events')).length > 0;
    const task = isArchive ? await archiveTask(data, Infinity) : await readTask(data, { onSkipped: tellSkipped() });
    const { manifest, seconds } = await trainModel(task, { ...common, values: readPlaces().deedValues, from: from ?? (isArchive ? SHIPPED : undefined) }).finally(stop);
    console.log(JSON.stringify({ data: manifest.data, metrics: manifest.metrics, seconds }, null, 2));
  }
}

async function trainResponse({ data, from, out, seed, shoppers, days }: Chosen): Promise<void> {
  if (from !== undefined) await checkStart(from, readResponseFolder);
  const { onProgress, stop } = showProgress();
  const common = { out, seed, from, clock: Date.now, onProgress };
  const { quality } = await (data === undefined ? trainResponseOnSimulation({ ...common, shoppers, days }) : trainResponseOnArchive({ ...common, data })).finally(stop);
  console.table(quality);
}

/** What was named to go on from must do: training anew instead would be a surprise. */
async function checkStart(folder: string, read: (folder: string) => Promise<unknown>): Promise<void> {
  if (await read(folder) !== undefined) return;
  throw new AppError('invalid_request', `--from ${folder} is another tool's model, or of another shape: leave it out to train anew.`);
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new AppError('invalid_request', `--${name} is a whole number from 1, not ${text}.`);
  return value;
}

runCommand(main);
