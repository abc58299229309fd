import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { runCommand } from '../../command.js';
import { AppError } from '../../errors.js';
import { showProgress } from '../progress-bars.js';
import { tellSkipped } from './datasets/tell-skipped.js';
import { evaluate } from './evaluation.js';
import { htmlReport } from './report-html.js';
import { fraction, headlines, textTable } from './report.js';
import { evaluateResponse } from './response/evaluate-response.js';
import { responseHtml, responseTable } from './response/report.js';

/** `npm run evaluate`: how good the models are that a data set gives, served as they would be, beside the baselines. */
const USAGE = 'npm run evaluate -- --dataset DIR --json FILE [--html FILE] [--model DIR] [--seed 7] [--refit]';
const SEED_MAX = 2 ** 32 - 1;

interface CommandOptions {
  readonly dataset: string;
  readonly json: string;
  readonly html: string | undefined;
  readonly model: string | undefined;
  readonly seed: number;
  readonly refit: boolean;
}

function readOptions(): CommandOptions {
  const { values } = parseArgs({
    options: {
      dataset: { type: 'string' }, json: { type: 'string' }, html: { type: 'string' }, model: { type: 'string' },
      seed: { type: 'string', default: '7' }, refit: { type: 'boolean', default: false },
    },
  });
  const { dataset, json, html, model, refit } = values;
  if (dataset === undefined || json === undefined) throw new AppError('invalid_request', `Say which data set and where to write: ${USAGE}`);
  const seed = Number(values.seed);
  if (!Number.isInteger(seed) || seed < 0 || seed > SEED_MAX) throw new AppError('invalid_request', `--seed is a whole number from 0 to ${SEED_MAX}, not ${values.seed}.`);
  return { dataset, json, html, model, seed, refit };
}

async function main(): Promise<void> {
  const { json, html, ...options } = readOptions();
  const { onProgress, stop } = showProgress();
  const onSkipped = tellSkipped();
  const response = await evaluateResponse({ ...options, onProgress, onSkipped }).finally(stop);
  if (response !== undefined) {
    await write(response, { json, html }, responseHtml);
    process.stdout.write(`${responseTable(response)}\n`);
    return;
  }
  const report = await evaluate({ ...options, onProgress, onSkipped }).finally(stop);
  await write(report, { json, html }, htmlReport);
  const headline = headlines(report).map((name) => `${name} ${fraction(report.metrics[name]!)}`).join(', ');
  process.stdout.write(`${textTable(report)}\n\n${report.dataset}: ${headline}; trained in ${report.trainSeconds.toFixed(0)} s, peak ${Math.round(report.peakRssBytes / 2 ** 20)} MB\n`);
}

async function write<T>(report: T, { json, html }: Pick<CommandOptions, 'json' | 'html'>, toHtml: (report: T) => string): Promise<void> {
  await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
  if (html !== undefined) await writeFile(html, toHtml(report));
}

runCommand(main);
