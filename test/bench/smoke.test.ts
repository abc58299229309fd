import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { Report } from '../../bench/report.js';

await t.test('the benchmark runs at smoke size: everything measured, nothing failed', { timeout: 200_000 }, async (t) => {
  const json = join(t.testdir({}), 'bench.json');
  const bench = spawn(process.execPath, [join(import.meta.dirname, '..', '..', 'bench', 'bench.js'), '--smoke', '--json', json], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [bench.stdout, bench.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { output += text; });
  const [code] = await once(bench, 'exit') as [number | null];
  t.equal(code, 0, output);
  const report = JSON.parse(await readFile(json, 'utf8')) as Report;
  t.match(report.machine, { cpu: String, cores: Number, node: process.version, redis: String });
  t.match(report.store, { items: 500, profiles: 300 });
  t.equal(report.rounds, 1);
  const { scenarios, ratios } = report;
  for (const name of ['floor', 'recommend', 'decide', 'page', 'events', 'eventsBatch'] as const) {
    t.match(scenarios[name], { throughput: Number, cpuMicroseconds: Number, rate: Number, latency: { p50: Number, p90: Number, p99: Number, p999: Number } }, name);
  }
  t.match(scenarios.ingestFloor, { throughput: Number, cpuMicroseconds: Number });
  t.match(scenarios.push, { hop: { p50: Number }, offer: { p99: Number } });
  t.match(scenarios.socket, { ack: { p99: Number }, push: { p99: Number } });
  for (const sample of Object.values(scenarios)) t.equal('errors' in sample ? sample.errors : 0, 0, ('error' in sample ? sample.error : undefined) ?? 'no errors');
  t.match(ratios, {
    recommend: { throughput: Number, p99: Number }, decide: { p50: Number }, page: { throughput: Number, p99: Number }, events: { throughput: Number },
    eventsBatch: { throughput: Number, perCpuSecond: Number }, push: { p99ToFloorP50: Number },
  });
});
