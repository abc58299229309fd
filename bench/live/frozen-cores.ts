import { spawn, type ChildProcess } from 'node:child_process';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

interface Freeze {
  readonly core: number;
  /** ms since 1970 */
  readonly from: number;
  readonly to: number;
}

/**
 * When the host of a virtual machine let its cores stand still. The time that the system counts as stolen is but a part of it: of half a
 * second in which both cores stood still it has counted none. It takes the right to real-time priority (root), `chrt` and `taskset`.
 */
export class FrozenCores {
  readonly #watchers: readonly ChildProcess[];
  readonly #freezes: Freeze[] = [];

  constructor() {
    const file = fileURLToPath(new URL('core-watch.js', import.meta.url));
    this.#watchers = cpus().map((_, core) => {
      // Alone on its core at that priority, it would wait for ever for threads of its own that it keeps from it: it has none.
      const child = spawn('chrt', ['--rr', '1', 'taskset', '--cpu-list', String(core), process.execPath, '--single-threaded', '--v8-pool-size=0', file], { stdio: ['pipe', 'pipe', 'ignore'] });
      child.on('error', () => { /* `isWatched` says so. */ });
      createInterface(child.stdout).on('line', (line) => {
        const [to = NaN, ms = NaN] = line.split(' ').map(Number);
        this.#freezes.push({ core, from: to - ms, to });
      });
      return child;
    });
  }

  /** Whether all cores are watched: not without the right to it. */
  get isWatched(): boolean {
    return this.#watchers.every(({ exitCode, pid }) => pid !== undefined && exitCode === null);
  }

  /** Those who watch, by core. */
  get pids(): number[] {
    return this.#watchers.flatMap(({ pid }) => pid ?? []);
  }

  /**
   * For how long cores stood still between two moments, ms since 1970: of `one`, the core that did the longest; of `any`, as long as one of
   * them did, which is what holds up threads that wait for each other.
   */
  frozenMs(from: number, to: number, which: 'one' | 'any'): number {
    const within = this.#freezes.filter((freeze) => freeze.from < to && freeze.to > from).toSorted((a, b) => a.from - b.from);
    const lengths = this.#watchers.map((_, core) => lengthOf(within.filter((freeze) => freeze.core === core), from, to));
    return which === 'one' ? Math.max(...lengths) : lengthOf(within, from, to);
  }

  end(): void {
    for (const { stdin } of this.#watchers) stdin?.end();
  }
}

/** @param freezes in the order of their beginnings @returns what they cover of the time between two moments, ms */
function lengthOf(freezes: readonly Freeze[], from: number, to: number): number {
  let [covered, until] = [0, from];
  for (const freeze of freezes) {
    covered += Math.max(0, Math.min(to, freeze.to) - Math.max(until, freeze.from));
    until = Math.max(until, Math.min(to, freeze.to));
  }
  return covered;
}
