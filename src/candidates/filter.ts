import { RECORD, type Catalog } from '../catalog/catalog.js';
import type { Filter } from '../domain/recommendation.js';
import { toMinor } from '../domain/money.js';
import { hash32 } from '../util/hash.js';

/**
 * Compiles a request's filter to a test of rows. Prices compare in the minor units of each item's own currency.
 * @param hidden rows never to show: dismissed, already on the page
 */
export function compileFilter(catalog: Catalog, filter: Filter | undefined, hidden: ReadonlySet<number>): (row: number) => boolean {
  const inStock = filter?.inStock ?? true;
  const { records } = catalog;
  const base = (row: number): boolean => {
    const record = row * RECORD.width;
    return records[record + RECORD.alive] === 1 && (!inStock || records[record + RECORD.stock] !== 0) && (hidden.size === 0 || !hidden.has(row));
  };
  if (filter === undefined) return base;
  const tests: ((row: number) => boolean)[] = [base];
  if (filter.category !== undefined) {
    const wanted = numbers(filter.category, catalog.categories);
    tests.push((row) => catalog.paths[row]!.some((number) => wanted.has(number)));
  }
  if (filter.brand !== undefined) {
    const wanted = numbers(filter.brand, catalog.brands);
    tests.push((row) => wanted.has(catalog.brandOf(row)));
  }
  if (filter.tags !== undefined) {
    const wanted = numbers(filter.tags, catalog.tags);
    tests.push((row) => catalog.tagNumbers[row]!.some((number) => wanted.has(number)));
  }
  const { priceMin, priceMax, attributes } = filter;
  if (priceMin !== undefined) tests.push((row) => catalog.priceMinor[row]! >= toMinor(priceMin, catalog.item(row)?.currency));
  if (priceMax !== undefined) tests.push((row) => catalog.priceMinor[row]! <= toMinor(priceMax, catalog.item(row)?.currency));
  if (attributes !== undefined) {
    const wanted = Object.entries(attributes);
    tests.push((row) => wanted.every(([name, value]) => catalog.item(row)?.attributes?.[name] === value));
  }
  return (row) => tests.every((test) => test(row));
}

/** Numbers of the names that exist; a name no item has matches nothing (0 is "none" and is left out). */
function numbers(names: readonly string[], known: { ofHash(hash: number): number }): Set<number> {
  return new Set(names.map((name) => known.ofHash(hash32(name))).filter((number) => number !== 0));
}
