import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { readConfig, type Config } from './config.js';
import { AppError } from './errors.js';
import { keptWorker, startProcesses } from './processes/primary.js';
import { PrimaryLink } from './processes/primary-link.js';

/** A process of the engine: reads its role, starts it, and drains it on SIGTERM or SIGINT. */

/** Why it ends: a signal, the process that started it is gone, or another one took its place. */
type Cause = NodeJS.Signals | 'primary gone' | 'replaced';

/** Beyond its drain a process gets this long to end by itself: what waits for a Redis that is gone would wait for ever, ms. */
const END_MS = 10_000;

interface Running { close(cause: Cause): Promise<void> }

async function main(): Promise<void> {
  const config = readConfig();
  const hasSeveral = config.role !== 'worker' && config.apiProcesses > 1;
  const isPrimary = hasSeveral && cluster.isPrimary;
  const log = pino({ level: config.logLevel, base: isPrimary ? { role: 'primary' } : { role: config.role, ...(hasSeveral ? { pid: process.pid } : {}) } });
  const running: Running[] = [];
  let stopping: Promise<void> | undefined;
  const stop = (cause: Cause): void => {
    stopping ??= (async () => {
      log.info({ cause }, 'draining');
      setTimeout(() => {
        log.error({ afterMs: config.drainMs + END_MS }, 'not drained in time; it ends all the same, and what it had begun is done by others');
        process.exit(1);
      }, config.drainMs + END_MS);
      // At once: one after the other could take longer than whoever stops us waits.
      await Promise.all(running.map((part) => part.close(cause)));
      log.info('stopped');
      process.exit(0);
    })();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.on('unhandledRejection', (reason) => { log.error({ err: reason }, 'a promise was rejected and nobody cared: this is a defect'); });
  const link = process.send === undefined ? undefined : new PrimaryLink(() => { stop('replaced'); });
  const children = { config, main: fileURLToPath(import.meta.url), clock: Date.now, log };

  if (config.role === 'worker') {
    // Only a worker loads what a worker needs, and likewise below.
    const { startWorker } = await import('./worker.js');
    const worker = await startWorker(config, log);
    running.push(worker);
    link?.share(worker.metrics);
    process.on('disconnect', () => { stop('primary gone'); });
    link?.ready();
  } else if (isPrimary) {
    const processes = await startProcesses(children);
    running.push(processes);
    process.on('SIGUSR2', () => void processes.restart());
    announce(processes.url, config);
  } else {
    const { startApi } = await import('./app.js');
    const api = await startApi(config, log, hasSeveral ? link : undefined);
    running.push({ close: (cause) => api.close({ isReplaced: cause === 'replaced' }) });
    link?.ready(api.url);
    if (config.role === 'both') {
      const worker = keptWorker(children);
      worker.start().catch(() => { /* it is started again */ });
      running.push({ close: () => worker.stop() });
    }
    if (!hasSeveral) announce(api.url, config);
  }
}

function announce(url: string, config: Config): void {
  const lines = [
    '', `  Rivulet is running.`, '',
    ...(config.demo ? [`  Demo store   ${url}/`, `  Live room    ${url}/live`] : []),
    `  API          ${url}/v1`, `  API docs     ${url}/docs`, `  Socket       ${url.replace(/^http/u, 'ws')}/v1/live`,
    `  Health       ${url}/health/ready`, `  Metrics      ${url}/metrics`,
    ...(config.apiProcesses > 1 ? [`  Processes    ${config.apiProcesses}; kill -USR2 ${process.pid} replaces them one by one`] : []), '',
    ...(config.apiKeys.size === 0 ? ['  No API_KEYS are set: everybody on this machine may use it; it listens on loopback only.', ''] : []),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof AppError ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exit(1);
});
