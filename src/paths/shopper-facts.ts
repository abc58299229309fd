import { currentProfile } from '../offers/current-profile.js';
import type { Contact } from '../offers/contact-policy.js';
import type { ShopperFacts } from '../offers/decide/eligibility.js';
import type { PortraitSource } from '../offers/decide/portrait-source.js';
import type { PortraitDocument, PortraitFieldName } from '../profile/portrait-schema.js';
import { emptyProfile, type Profile } from '../profile/profile.js';
import type { ContactStore } from '../redis/contact-store.js';
import type { ProfileStore } from '../redis/profile-store.js';
import type { WalletStore } from '../redis/wallet-store.js';

export interface FactsDeps {
  readonly profiles: ProfileStore;
  readonly contacts: ContactStore;
  readonly wallets: WalletStore;
  readonly portraits: PortraitSource;
}

/** What is stored of a shopper beside the profile. */
export interface ShopperExtras {
  readonly shopper: string;
  readonly contacts: readonly Contact[];
  readonly claims: ReadonlyMap<string, number>;
  readonly documentOf: (profile: Profile, now: number) => PortraitDocument;
}

/** Reads what a decision asks of a shopper: everything lies in the shopper's slot and travels in one pipeline, but for what the offers of a wallet count. */
export class ShopperFactsReader {
  constructor(private readonly deps: FactsDeps) {}

  /** @throws Redis errors as they come, and AppError `profile_unreadable` */
  async read(shopper: string, fields: ReadonlySet<PortraitFieldName>, now: number): Promise<ShopperFacts> {
    const [current, extras] = await Promise.all([currentProfile(this.deps.profiles, shopper), this.extras(shopper, fields)]);
    if (current === undefined) return factsOf(emptyProfile(), extras, now);
    return factsOf(current.profile, current.shopper === shopper ? extras : await this.extras(current.shopper, fields), now);
  }

  /** All but the profile, for whoever has that already. */
  async extras(shopper: string, fields: ReadonlySet<PortraitFieldName>): Promise<ShopperExtras> {
    const { contacts, wallets, portraits } = this.deps;
    const [addressed, claims, documentOf] = await Promise.all([contacts.read(shopper), wallets.taken(shopper), portraits.open(shopper, fields)]);
    return { shopper, contacts: addressed, claims, documentOf };
  }
}

export function factsOf(profile: Profile, { shopper, contacts, claims, documentOf }: ShopperExtras, now: number): ShopperFacts {
  return { shopper, profile, contacts, claims, document: documentOf(profile, now) };
}
