import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../../errors.js';
import { readHeader } from './table.js';

const TABLE = /\.csv(?:\.gz)?$/u;

export interface FoundTable { readonly path: string; readonly header: readonly string[] }

/**
 * The CSV tables of a folder, by name.
 * @param expected what such a folder should hold, for the message
 * @throws AppError `invalid_request`
 */
export async function tablesOf(folder: string, expected: string): Promise<FoundTable[]> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    throw new AppError('invalid_request', `${folder} cannot be read as a folder. Expected one with ${expected}.`, { cause: error });
  }
  const paths = names.filter((name) => TABLE.test(name)).toSorted().map((name) => join(folder, name));
  return Promise.all(paths.map(async (path) => ({ path, header: await readHeader(path) })));
}
