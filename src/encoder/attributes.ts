import type { Item } from '../domain/item.js';
import { hash32 } from '../util/hash.js';

/**
 * Keys of an item's attributes: every level of its category path, its brand and its tags, each once. Hashed with their
 * kind, so that a brand and a tag of one name stay apart; two attributes whose hashes meet share a vector, in training too.
 */
export function attributeKeys({ category, brand, tags }: Pick<Item, 'category' | 'brand' | 'tags'>): number[] {
  const keys = new Set<number>();
  let path = '';
  for (const name of category) {
    path = path === '' ? name : `${path}/${name}`;
    keys.add(hash32(`category:${path}`));
  }
  if (brand !== undefined) keys.add(hash32(`brand:${brand}`));
  for (const tag of tags ?? []) keys.add(hash32(`tag:${tag}`));
  return [...keys];
}
