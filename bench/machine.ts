import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem, type } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly os: string;
  readonly node: string;
  readonly redis: string;
  /** Load averages over 1, 5 and 15 minutes when it began: other work on the machine spoils the figures. */
  readonly load: readonly number[];
}

export function describeMachine(): Machine {
  const redis = /v=(\S+)/u.exec(execFileSync(process.env['REDIS_SERVER'] ?? 'redis-server', ['--version'], { encoding: 'utf8' }))?.[1] ?? 'unknown';
  return {
    cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryGb: Math.round(totalmem() / 2 ** 30), os: `${type()} ${release()}`,
    node: process.version, redis, load: loadavg().map((value) => Math.round(value * 100) / 100),
  };
}
