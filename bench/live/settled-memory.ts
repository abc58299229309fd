import type { Engine } from '../../test/helpers/engine.js';
import { until } from '../../test/helpers/until.js';

/** Options of Node for processes whose settled memory is asked for. */
export const COLLECTING: readonly string[] = ['--expose-gc', `--import=${new URL('collect-garbage.js', import.meta.url).href}`];

/** What a process holds after a full collection, bytes. */
export interface Settled {
  /** Resident memory without the free part of the heap. Of that V8 keeps up to 100 MB, or gives it back, as it likes: more than a leak would bring in an hour. */
  readonly bytes: number;
  /** Of it V8's objects; and buffers, of which some may not have been touched yet. */
  readonly heapBytes: number;
  readonly bufferBytes: number;
}
interface Report extends Settled {
  readonly pid: number;
  /** ms since 1970 */
  readonly at: number;
}
const reportsIn = (output: string): Report[] => [...output.matchAll(/^\{"settled":(\{.*\})\}$/gmu)].map(([, text = '']) => JSON.parse(text) as Report);

/** Has processes of an engine collect their garbage, and say what they are left with. */
export async function settledMemory(engine: Engine, pids: readonly number[]): Promise<Settled[]> {
  const since = Date.now();
  for (const pid of pids) process.kill(pid, 'SIGWINCH');
  const reports = new Map<number, Settled>();
  await until(() => {
    for (const report of reportsIn(engine.output())) if (report.at >= since) reports.set(report.pid, report);
    return pids.every((pid) => reports.has(pid));
  }, 'all processes to say what they hold');
  return pids.map((pid) => reports.get(pid)!);
}
