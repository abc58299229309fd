import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/**
 * What the system says of a process (Linux, `/proc`): outside of it, so that asking costs it nothing and a process of any
 * kind can be asked.
 */

const KIB = 1024;
const NS_PER_S = 1e9;

/** CPU time of all its threads so far, s. */
export function cpuSeconds(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / NS_PER_S, 0);
}

/** Memory it really uses, bytes. */
export function rssBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * KIB;
}

/** Options of Node for processes whose event loop is watched: they say what holds it up. */
export const WATCHED: readonly string[] = [`--import=${new URL('watch-loop.js', import.meta.url).href}`];

/** A delay of an event loop. */
export interface Stall {
  /** When it was over, ms since 1970. */
  readonly at: number;
  readonly delayMs: number;
  /** The thread's own: what it ran, and its collections, not what others had the cores for. */
  readonly ownMs: number;
  /** Of the delay: collections of garbage, however long other processes held those up. */
  readonly gcMs: number;
}

/** Finds the stalls in what a watched process has said. */
export const stallsIn = (output: string): Stall[] => [...output.matchAll(/^\{"stall":(\{.*\})\}$/gmu)].map(([, text = '']) => JSON.parse(text) as Stall);

/**
 * Lets a process have a core before others that want it, as far as we may: what holds it up is then its own doing. Its threads go before
 * others of its session, and where each session has its share of the cores (autogroups, see sched(7)), its session before others.
 */
export function putFirst(pid: number): void {
  const highest = constants.priority.PRIORITY_HIGHEST;
  for (const thread of readdirSync(`/proc/${pid}/task`)) ifAllowed(() => { setPriority(Number(thread), highest); });
  ifAllowed(() => { writeFileSync(`/proc/${pid}/autogroup`, String(highest)); });
}

function ifAllowed(prefer: () => void): void {
  try {
    prefer();
  } catch {
    // Without the right to it, or without such groups, it waits like others, which is told apart; a thread may have ended, too.
  }
}

/** Open files and sockets. */
export const handles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

/** Processes of Node that it started and that still run. */
export const childrenOf = (pid: number): number[] => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
  .filter((text) => text !== '').map(Number).filter((child) => readlinkSync(`/proc/${child}/exe`) === process.execPath);

/** A setting it was started with. */
export const settingOf = (pid: number, name: string): string | undefined =>
  readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1);

/** Files and sockets that this process may have open. Node itself raises the soft limit to the hard one. */
export function filesMax(): number {
  const found = /^Max open files\s+\S+\s+(\S+)/mu.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return found === undefined || found === 'unlimited' ? Infinity : Number(found);
}
