import { Catalog } from '../../src/catalog/catalog.js';
import type { EventInput } from '../../src/domain/event.js';
import type { Item } from '../../src/domain/item.js';
import { validateEvent } from '../../src/paths/validate-event.js';
import { encodeProfile, TOKEN_BYTES } from '../../src/profile/codec.js';
import { fold } from '../../src/profile/fold.js';
import { emptyProfile, type Profile } from '../../src/profile/profile.js';

/** What the engine must hold after these events: folded here, in memory, without any of its I/O. */
export class Folded {
  readonly profiles = new Map<string, Profile>();
  readonly #catalog = new Catalog();

  constructor(items: readonly Item[]) {
    for (const item of items) this.#catalog.put(item);
  }

  add(input: EventInput): void {
    const event = validateEvent(input, Date.now());
    if ('code' in event) throw new Error(event.message);
    const profile = this.profiles.get(event.shopper) ?? emptyProfile();
    this.profiles.set(event.shopper, profile);
    fold(profile, event, event.itemId === undefined ? undefined : this.#catalog.facts(event.itemId));
  }

  /** @returns shoppers whose stored value differs by more than the token, or is missing */
  async different(read: (shoppers: readonly string[]) => Promise<readonly (Buffer | null)[]>): Promise<string[]> {
    const shoppers = [...this.profiles.keys()];
    const different: string[] = [];
    const noToken = Buffer.alloc(TOKEN_BYTES);
    for (let from = 0; from < shoppers.length; from += 500) {
      const part = shoppers.slice(from, from + 500);
      const values = await read(part);
      part.forEach((shopper, i) => {
        const expected = encodeProfile(this.profiles.get(shopper)!, noToken).subarray(TOKEN_BYTES);
        if (values[i]?.subarray(TOKEN_BYTES).equals(expected) !== true) different.push(shopper);
      });
    }
    return different;
  }
}
