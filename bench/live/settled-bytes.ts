import type { Engine } from '../../test/helpers/engine.js';
import { until } from '../../test/helpers/until.js';

/** Options of Node for processes whose settled memory is asked for. */
export const COLLECTING: readonly string[] = ['--expose-gc', `--import=${new URL('collect-garbage.js', import.meta.url).href}`];

interface Report {
  readonly pid: number;
  /** ms since 1970 */
  readonly at: number;
  readonly bytes: number;
}
const reportsIn = (output: string): Report[] => [...output.matchAll(/^\{"settled":(\{.*\})\}$/gmu)].map(([, text = '']) => JSON.parse(text) as Report);

/**
 * What processes of an engine hold after a full collection, bytes: resident memory without the free part of the heap. Of that V8 keeps
 * up to 100 MB, or gives it back, as it likes: more than a leak would bring in an hour.
 */
export async function settledBytes(engine: Engine, pids: readonly number[]): Promise<number[]> {
  const since = Date.now();
  for (const pid of pids) process.kill(pid, 'SIGWINCH');
  const reports = new Map<number, number>();
  await until(() => {
    for (const { pid, at, bytes } of reportsIn(engine.output())) if (at >= since) reports.set(pid, bytes);
    return pids.every((pid) => reports.has(pid));
  }, 'all processes to say what they hold');
  return pids.map((pid) => reports.get(pid)!);
}
