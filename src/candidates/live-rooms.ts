import { RECORD, type Catalog } from '../catalog/catalog.js';
import type { Profile } from '../profile/profile.js';
import { SOURCE_INDEX, type CandidatePool } from './pool.js';
import { strongest } from './strongest.js';

const LIVE_ROOM_LIMITS = {
  /** Rooms proposed, and hosts and categories liked most that come first among them. */
  rooms: 24, hosts: 16, categories: 8,
} as const;

/** Who is live now: rooms of hosts that the shopper likes, then of categories, then those announced last. */
export function liveRooms(pool: CandidatePool, { catalog, profile, now }: { readonly catalog: Catalog; readonly profile: Profile; readonly now: number }): void {
  if (catalog.roomRows.size === 0) return;
  const hosts = new Set(strongest(profile, profile.brands, now, LIVE_ROOM_LIMITS.hosts).map((hash) => catalog.brands.ofHash(hash)));
  const categories = new Set(strongest(profile, profile.categories, now, LIVE_ROOM_LIMITS.categories).map((hash) => catalog.categories.ofHash(hash)));
  const appeal = (row: number): number => (hosts.has(catalog.brandOf(row)) ? 2 : 0) + (catalog.paths[row]!.some((category) => categories.has(category)) ? 1 : 0);
  const live = [...catalog.roomRows].filter((row) => catalog.records[row * RECORD.width + RECORD.stock] !== 0).toReversed();
  const ordered = live.length <= LIVE_ROOM_LIMITS.rooms ? live : live.toSorted((a, b) => appeal(b) - appeal(a));
  for (const row of ordered.slice(0, LIVE_ROOM_LIMITS.rooms)) pool.add(row, SOURCE_INDEX.live_rooms);
}
