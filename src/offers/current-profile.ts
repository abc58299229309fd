import { decodeProfile } from '../profile/codec.js';
import { emptyProfile, type Profile } from '../profile/profile.js';

/** Merges followed one after another. */
const REDIRECTS_MAX = 4;

export interface ProfileReader {
  /** @returns the stored profile without its recent event ids, null for none */
  readHead(shopper: string): Promise<Buffer | null>;
}

/** @returns the profile as it is now, of the user the shopper was merged into where they were; undefined for nobody */
export async function currentProfile(profiles: ProfileReader, shopper: string): Promise<{ shopper: string; profile: Profile } | undefined> {
  let key = shopper;
  for (let hop = 0; hop <= REDIRECTS_MAX; hop++) {
    const head = await profiles.readHead(key);
    // Nothing was received of the user yet whom the signpost names.
    if (head === null) return key === shopper ? undefined : { shopper: key, profile: emptyProfile() };
    const profile = decodeProfile(head, { ids: false });
    if (profile.movedTo === undefined) return { shopper: key, profile };
    key = profile.movedTo;
  }
  return undefined;
}

/** @returns who a shopper is now: of a merged visitor the user. Users are never merged into others: nothing is read for them */
export async function currentShopper(profiles: ProfileReader, shopper: string): Promise<string> {
  return shopper.startsWith('u:') ? shopper : (await currentProfile(profiles, shopper))?.shopper ?? shopper;
}
