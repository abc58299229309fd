import { parseArgs } from 'node:util';
import { listSlots } from '../archive/files.js';
import { archiveEnd } from './models/judged-lists.js';
import { trainOnArchive } from './models/train-on-archive.js';
import { readTask } from './evaluate/datasets/read-task.js';
import { trainModel } from './pipeline.js';
import { showProgress } from './progress-bars.js';
import { trainOnDemo } from './train-on-demo.js';

/**
 * `npm run train`: events → a model folder. From a store's archive, from a folder of tables shaped like the public data
 * sets, or, without `--data`, from the demo's simulated shoppers. The same data, options and seed give the same model.
 */

const USAGE = `npm run train -- [options]
  --data DIR      a store's archive (hourly NDJSON), or a folder of CSV tables; the demo's shoppers when not given
  --from DIR      a model folder to go on from
  --out DIR       where to write the model (default: models/default of the demo's shoppers, .data/trained of other data)
  --seed N        (default: 7)
  --shoppers N, --days N   of the demo (default: 1500, 45)`;

const { values } = parseArgs({
  options: {
    data: { type: 'string' }, from: { type: 'string' }, out: { type: 'string' },
    seed: { type: 'string', default: '7' }, shoppers: { type: 'string', default: '1500' }, days: { type: 'string', default: '45' },
    help: { type: 'boolean', default: false },
  },
});

function whole(name: 'seed' | 'shoppers' | 'days'): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a whole number from 1, not "${values[name]}"`);
  return value;
}

async function train(): Promise<void> {
  const { data, from } = values;
  const out = values.out ?? (data === undefined ? 'models/default' : '.data/trained');
  const { onProgress, stop } = showProgress();
  const common = { out, seed: whole('seed'), from, clock: Date.now, onProgress };
  try {
    if (data === undefined) {
      const { test } = await trainOnDemo({ ...common, shoppers: whole('shoppers'), days: whole('days') });
      stop();
      console.table(test.candidates);
      console.table(test.shown);
    } else if ((await listSlots(data, 'events')).length > 0) {
      await trainOnArchive({ archiveDir: data, until: await archiveEnd(data), out, from: from ?? 'models/default', seed: common.seed });
    } else {
      const { manifest, seconds } = await trainModel(await readTask(data), common);
      stop();
      console.log(JSON.stringify({ data: manifest.data, metrics: manifest.metrics, seconds }, null, 2));
    }
  } finally {
    stop();
  }
  console.log(`→ ${out}`);
}

if (values.help) console.log(USAGE);
else await train();
