import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import { runCommand } from '../command.js';
import { AppError } from '../errors.js';
import { runReplay, type ReplayReport } from './run-replay.js';

/** `npm run replay -- FILE|DIR [--url http://…] [--concurrency N] [--limit N] [--key API_KEY]` */
const USAGE = 'npm run replay -- FILE|DIR [--url http://127.0.0.1:8080] [--concurrency 4] [--limit N] [--key API_KEY]';
const CONCURRENCY_MAX = 64;

async function main(): Promise<void> {
  const { values, positionals: [path, ...more] } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: 'string', default: 'http://127.0.0.1:8080' }, concurrency: { type: 'string', default: '4' },
      limit: { type: 'string' }, key: { type: 'string' },
    },
  });
  if (path === undefined || more.length > 0) throw new AppError('invalid_request', `Name one file or folder: ${USAGE}`);
  const bar = new SingleBar({
    format: '{bar} {percentage} % · {sent} events · {rate}/s · {eta_formatted} left', hideCursor: true, etaBuffer: 50, barsize: 30,
  });
  let startedAt = 0;
  process.stderr.write(`${path} → ${values.url}\n`);
  try {
    const report = await runReplay({
      path, url: values.url, apiKey: values.key,
      concurrency: whole('concurrency', values.concurrency, CONCURRENCY_MAX), limit: values.limit === undefined ? undefined : whole('limit', values.limit, Number.MAX_SAFE_INTEGER),
      onProgress: ({ bytes, bytesRead, sent }) => {
        if (sent === 0) return; // the items come first; rate and time left are those of the events
        if (startedAt === 0) {
          startedAt = Date.now();
          bar.start(bytes, bytesRead, { sent: 0, rate: 0 });
        }
        const rate = Math.round(sent / Math.max(1, (Date.now() - startedAt) / 1000));
        bar.update(bytesRead, { sent: sent.toLocaleString('en'), rate: rate.toLocaleString('en') });
      },
    });
    bar.stop();
    process.stdout.write(`${summary(report)}\n`);
  } catch (error) {
    bar.stop();
    throw error;
  }
}

function summary({ items, events, accepted, duplicates, rejected, skipped, retries, reasons, seconds }: ReplayReport): string {
  const count = (value: number): string => value.toLocaleString('en');
  return [
    `${count(items)} items and ${count(events)} events in ${seconds.toFixed(1)} s (${count(Math.round(events / seconds))} events/s):`,
    `  ${count(accepted)} accepted, ${count(duplicates)} seen before, ${count(rejected)} rejected, ${count(skipped)} lines skipped, ${count(retries)} requests repeated`,
    ...[...reasons].map(([reason, times]) => `  ${count(times)} × ${reason}`),
  ].join('\n');
}

function whole(name: string, text: string, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > max) throw new AppError('invalid_request', `--${name} is a whole number from 1 to ${max}, not ${text}.`);
  return value;
}

runCommand(main);
