import type { PortraitDocument, PortraitFieldName } from '../../profile/portrait-schema.js';
import type { Profile } from '../../profile/profile.js';

/** Where expressions and gates get a shopper's portrait from. */
export interface PortraitSource {
  /**
   * Reads what is stored beside the profile, in the shopper's slot; its commands are sent at once, along with the caller's.
   * @param fields what will be read of the document
   */
  open(shopper: string, fields: ReadonlySet<PortraitFieldName>): Promise<(profile: Profile, now: number) => PortraitDocument>;
  /** As `open`, for shoppers of one partition; but of their growth and risk nothing is known that the fields do not ask. */
  openMany(shoppers: readonly string[], fields: ReadonlySet<PortraitFieldName>): Promise<((profile: Profile, now: number) => PortraitDocument)[]>;
}
