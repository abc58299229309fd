import { EVENT_LIMITS } from './event.js';

/**
 * A shopper is addressed by one key that tells signed-in users (`u:`) and anonymous visitors (`a:`) apart,
 * so that an anonymous id can never read or change a user's profile.
 */
export type ShopperKey = string;

/** @returns the key of whoever is named; a signed-in user wins over an anonymous id. */
export function shopperKey(ids: { userId?: string | undefined; anonymousId?: string | undefined }): ShopperKey | undefined {
  if (ids.userId !== undefined) return `u:${ids.userId}`;
  return ids.anonymousId === undefined ? undefined : `a:${ids.anonymousId}`;
}

/** @returns who the key names, as clients name them: the inverse of `shopperKey` */
export function shopperIds(key: ShopperKey): { userId: string } | { anonymousId: string } {
  return key.startsWith('u:') ? { userId: key.slice(2) } : { anonymousId: key.slice(2) };
}

/** @returns what is wrong with an id, to be said after its name; undefined: nothing */
export function idFault(id: string): string | undefined {
  if (!id.isWellFormed()) return 'has a lone surrogate: it is not valid Unicode.';
  // Cheap test first: a string of n units never has more than 3n bytes.
  const isLong = id.length * 3 > EVENT_LIMITS.idBytesMax && Buffer.byteLength(id) > EVENT_LIMITS.idBytesMax;
  return isLong ? `is longer than ${EVENT_LIMITS.idBytesMax} bytes.` : undefined;
}
