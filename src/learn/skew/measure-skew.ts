import { USER_FEATURES } from '../../profile/vector.js';
import { ITEM_FEATURES } from '../../ranking/features.js';
import { SHOWN_FLOATS } from '../../redis/impression-log.js';
import { rebuildImpressions, type RebuildOptions } from './rebuild.js';

export interface Skew {
  /** Impressions whose vectors, computed anew, are those logged, to the last bit. */
  readonly same: number;
  /** Of the others, how many differ in each column. */
  readonly different: ReadonlyMap<string, number>;
  /** Impressions that cannot be computed anew, by what is missing. */
  readonly missing: ReadonlyMap<string, number>;
}

/** Compares what was served with what a replay of the archive computes. */
export async function measureSkew(dir: string, options: RebuildOptions): Promise<Skew> {
  let same = 0;
  const different = new Map<string, number>();
  const missing = new Map<string, number>();
  for await (const result of rebuildImpressions(dir, options)) {
    const columns = 'missing' in result ? [] : differentColumns(result.vectors, result.impression.vectors);
    if ('missing' in result) count(missing, result.missing);
    else if (columns.length === 0) same += 1;
    for (const column of columns) count(different, column);
  }
  return { same, different, missing };
}

/** @returns names of the columns that are not the same to the last bit */
export function differentColumns(rebuilt: Float32Array, logged: Float32Array): string[] {
  const a = new Uint32Array(rebuilt.buffer, rebuilt.byteOffset, rebuilt.length);
  const b = new Uint32Array(logged.buffer, logged.byteOffset, logged.length);
  const names = new Set<string>();
  a.forEach((bits, i) => {
    if (bits === b[i]) return;
    const column = i - USER_FEATURES.length;
    names.add(column < 0 ? USER_FEATURES[i]! : ITEM_FEATURES[column % SHOWN_FLOATS - (SHOWN_FLOATS - ITEM_FEATURES.length)]!);
  });
  return [...names];
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
