import type { Affinities, Profile } from '../profile/profile.js';
import { affinityDecay } from '../profile/vector.js';

/** @returns hashes of the names with the highest positive affinity by now */
export function strongest(profile: Profile, table: Affinities, now: number, limit: number): number[] {
  const { short, long } = affinityDecay(profile, now);
  const found: { hash: number; value: number }[] = [];
  for (let i = 0; i < table.keys.length; i++) {
    // Within a visit the short memory leads; afterwards it has decayed and the long one speaks.
    const value = table.short[i]! * short * 3 + table.long[i]! * long;
    if (value <= 0) continue;
    let place = found.length;
    while (place > 0 && found[place - 1]!.value < value) place--;
    if (place < limit) found.splice(place, 0, { hash: table.keys[i]!, value });
    if (found.length > limit) found.pop();
  }
  return found.map((entry) => entry.hash);
}
