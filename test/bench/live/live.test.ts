import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { cuts } from '../../../bench/live/cuts.js';
import { slow } from '../../../bench/live/slow.js';
import { soak } from '../../../bench/live/soak.js';

/** The short form of `npm run bench:live`: its promises, on the compiled engine and a real Redis. Times are not judged here. */

const TOOLS = { seed: 1, nodeArgs: [], say: (): void => { /* Nothing to say. */ } };

await t.test('a ladder reaches every viewer once, within stock and budget', { timeout: 200_000 }, async (t) => {
  const json = join(t.testdir({}), 'live.json');
  const args = ['cue', '--sockets', '200', '--rounds', '1', '--warmups', '0', '--items', '200', '--histories', '200', '--json', json];
  const bench = spawn(process.execPath, [join(import.meta.dirname, '..', '..', '..', 'bench', 'live', 'live.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [bench.stdout, bench.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { output += text; });
  await once(bench, 'exit');
  const { cue } = JSON.parse(await readFile(json, 'utf8').catch(() => { throw new Error(output); })) as { cue: { broken: string[]; plays: { kind: string; counts?: { claimed: number; byDefault: number; soldOut: number; claims: number[] } }[] } };
  t.same(cue.broken, []);
  t.same(cue.plays.map(({ kind }) => kind), ['pin', 'ladder', 'scarce']);
  const [, ladder, scarce] = cue.plays.map(({ counts }) => counts!);
  t.equal(ladder!.claimed + ladder!.byDefault, 200, 'there is enough for everybody');
  t.ok(ladder!.claims.filter((count) => count > 0).length > 1, `tastes differ: ${JSON.stringify(ladder)}`);
  t.ok(scarce!.claims[0]! <= 20 && scarce!.claims[1]! <= 20, `scarce ones run out: ${JSON.stringify(scarce)}`);
});

await t.test('300 cuts over 20 clients: gap-free, duplicate-free, in order', { timeout: 200_000 }, async (t) => {
  const { broken, measured } = await cuts.run({ clients: 20, cuts: 300 }, TOOLS);
  t.same(broken, []);
  t.match(measured, { breaches: 0, resumes: { recovered: Number, lost: Number } });
});

await t.test('clients that stop reading are let go and come back to what they missed; readers stay', { timeout: 200_000 }, async (t) => {
  const { broken } = await slow.run({ readers: 20, stalled: 4, warmups: 0, rounds: 1, seconds: 1, lightBytes: 0, heavyBytes: 50_000 }, TOOLS);
  t.same(broken, []);
});

await t.test('steady traffic: nothing missing, no fault, and everything is sampled', { timeout: 200_000 }, async (t) => {
  const { broken, measured } = await soak.run({ sockets: 50, warmupMinutes: 0, minutes: 0, seconds: 4, items: 100, histories: 50, sampleEveryS: 1, pinEveryS: 1, ladderEveryS: 2 }, TOOLS);
  t.same(broken, []);
  t.match(measured, { lines: [{ name: 'api processes', percentPerHour: Number }, { name: 'worker' }], keys: { from: Number, to: Number } });
});
