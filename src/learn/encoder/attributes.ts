import type { Item } from '../../domain/item.js';
import { attributeKeys } from '../../encoder/attributes.js';

/** Attributes of items by index: those of item i are `index[offsets[i]] … index[offsets[i + 1] − 1]`. */
export interface ItemAttributes {
  /** items + 1 */
  readonly offsets: Uint32Array;
  readonly index: Uint32Array;
  /** Key of each attribute index. */
  readonly keys: Uint32Array;
}

/** An attribute of fewer items teaches nothing that their own vectors do not. */
const ITEMS_MIN = 2;
/** An attribute of more than this share of the items tells none from another. */
const SHARE_MAX = 0.9;

/** The attributes worth a vector; serving leaves out the others too, as it knows no vector of theirs. */
export function itemAttributes(items: readonly Item[]): ItemAttributes {
  const keysOf = items.map(attributeKeys);
  const counts = new Map<number, number>();
  for (const keys of keysOf) for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  const indexOf = new Map<number, number>();
  for (const [key, count] of counts) if (count >= ITEMS_MIN && count <= SHARE_MAX * items.length) indexOf.set(key, indexOf.size);
  const offsets = new Uint32Array(items.length + 1);
  const index: number[] = [];
  for (const [i, keys] of keysOf.entries()) {
    for (const key of keys) {
      const at = indexOf.get(key);
      if (at !== undefined) index.push(at);
    }
    offsets[i + 1] = index.length;
  }
  return { offsets, index: Uint32Array.from(index), keys: Uint32Array.from(indexOf.keys()) };
}
