import type { Catalog } from '../catalog/catalog.js';
import type { Scene } from '../domain/scene.js';
import { TOUCH, type Profile } from '../profile/profile.js';

/** The page's own rows: the item it is about, then the cart or the purchase where the scene is about that. */
export function contextRows(catalog: Catalog, profile: Profile, scene: Scene, itemId: string | undefined): number[] {
  const page = itemId === undefined ? -1 : catalog.rowOf(itemId);
  const rows = page < 0 ? [] : [page];
  const lines = scene === 'cart' ? profile.cart.filter((line) => line.quantity > 0)
    : scene === 'post_purchase' ? profile.touches.filter((touch) => (touch.mask & TOUCH.purchased) !== 0) : [];
  for (const line of lines) {
    const row = catalog.rowOfKey(line.item);
    if (row >= 0 && !rows.includes(row)) rows.push(row);
  }
  return rows;
}

/** Where live rooms are shown beside products and posts: elsewhere a card is something to buy. */
const ROOM_SCENES: ReadonlySet<Scene> = new Set(['feed']);

/** Rows a list must not hold: what the page shows already, what the shopper dismissed, and rooms where products belong. */
export function hiddenRows(catalog: Catalog, profile: Profile, scene: Scene, onPage: Iterable<number>): Set<number> {
  const hidden = new Set(onPage);
  if (!ROOM_SCENES.has(scene)) for (const row of catalog.roomRows) hidden.add(row);
  for (const touch of profile.touches) {
    if ((touch.mask & TOUCH.dismissed) !== 0) hidden.add(catalog.rowOfKey(touch.item));
  }
  return hidden;
}
