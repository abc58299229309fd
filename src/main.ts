import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { pino, type Logger } from 'pino';
import { startApi } from './app.js';
import { readConfig, type Config } from './config.js';
import { AppError } from './errors.js';

/** A process of the engine: reads its role, starts it, and drains it on SIGTERM or SIGINT. */

const WORKER_RESTART_MS = { from: 250, to: 10_000 } as const;

interface Running { close(): Promise<void> }

async function main(): Promise<void> {
  const config = readConfig();
  const log = pino({ level: config.logLevel, base: { role: config.role } });
  const running: Running[] = [];
  let stopping: Promise<void> | undefined;
  const stop = (signal: string): void => {
    stopping ??= (async () => {
      log.info({ signal }, 'draining');
      // At once: one after the other could take longer than whoever stops us waits.
      await Promise.all(running.map((part) => part.close()));
      log.info('stopped');
      process.exit(0);
    })();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.on('unhandledRejection', (reason) => { log.error({ err: reason }, 'a promise was rejected and nobody cared: this is a defect'); });
  if (config.role === 'worker') {
    // Only a worker loads what a worker needs.
    const { startWorker } = await import('./worker.js');
    running.push(await startWorker(config, log));
    process.on('disconnect', () => { stop('parent gone'); });
    process.send?.({ ready: true });
    return;
  }
  const api = await startApi(config, log);
  running.push(api);
  if (config.role === 'both') running.push(keepWorker(config, log));
  announce(api.url, config);
}

/** Runs the worker in a process of its own, so that heavy work never holds up a request; starts it again if it dies. */
function keepWorker(config: Config, log: Logger): Running {
  let child: ChildProcess | undefined;
  let stopped = false;
  let pauseMs: number = WORKER_RESTART_MS.from;
  const start = (): void => {
    const startedAt = Date.now();
    child = fork(fileURLToPath(import.meta.url), [], { env: { ...process.env, ROLE: 'worker' } });
    child.once('exit', (code, signal) => {
      if (stopped) return;
      pauseMs = Date.now() - startedAt > WORKER_RESTART_MS.to ? WORKER_RESTART_MS.from : Math.min(WORKER_RESTART_MS.to, pauseMs * 2);
      log.error({ code, signal, restartInMs: pauseMs }, 'worker died');
      setTimeout(start, pauseMs);
    });
  };
  start();
  return {
    close: () => new Promise((resolve) => {
      stopped = true;
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
        resolve();
        return;
      }
      const kill = setTimeout(() => child?.kill('SIGKILL'), config.drainMs);
      child.once('exit', () => {
        clearTimeout(kill);
        resolve();
      });
      child.kill('SIGTERM');
    }),
  };
}

function announce(url: string, config: Config): void {
  const lines = [
    '', `  Rivulet is running.`, '',
    ...(config.demo ? [`  Demo store   ${url}/`] : []),
    `  API          ${url}/v1`, `  API docs     ${url}/docs`, `  Socket       ${url.replace(/^http/u, 'ws')}/v1/live`,
    `  Health       ${url}/health/ready`, `  Metrics      ${url}/metrics`, '',
    ...(config.apiKeys.size === 0 ? ['  No API_KEYS are set: everybody on this machine may use it; it listens on loopback only.', ''] : []),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof AppError ? error.message : String(error instanceof Error ? error.stack : error)}\n`);
  process.exit(1);
});
