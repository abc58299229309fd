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
