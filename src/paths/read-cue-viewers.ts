import type { CueOf } from '../domain/cue.js';
import type { ShopperKey } from '../domain/shopper.js';
import { currentProfile } from '../offers/current-profile.js';
import type { PortraitSource } from '../offers/decide/portrait-source.js';
import type { LiveCase } from '../offers/decide/weigh.js';
import { decodeProfile } from '../profile/codec.js';
import type { PortraitDocument, PortraitFieldName } from '../profile/portrait-schema.js';
import { emptyProfile, type Profile } from '../profile/profile.js';
import type { ClaimStore } from '../redis/claim-store.js';
import type { CueMark, CueStore } from '../redis/cue-store.js';
import { partitionOf } from '../redis/keys.js';
import type { ProfileStore } from '../redis/profile-store.js';
import { groupBy } from '../util/group-by.js';
import type { CueViewer } from './cue-viewer.js';

export interface CueReadingDeps {
  readonly profiles: Pick<ProfileStore, 'readMany' | 'readHead' | 'visitorsOf'>;
  readonly portraits: PortraitSource;
  readonly claims: Pick<ClaimStore, 'claimedBy'>;
  readonly store: Pick<CueStore, 'served'>;
}

type LadderCue = CueOf<'coupon_ladder'>;

/** What an earlier play has left behind: who was reached, and what was claimed for others when it was cut short, because nobody gets two. */
export async function readEarlierPlay(deps: CueReadingDeps, viewers: readonly CueViewer[], cue: LadderCue): Promise<void> {
  const { claims, store } = deps;
  await Promise.all([
    ...groupBy(viewers, ({ partition }) => partition).map(async ([partition, there]) => {
      const marks = await store.served(cue, partition, there.map(({ shopper }) => shopper));
      there.forEach((viewer, i) => { viewer.mark = marks[i]; });
    }),
    ...cue.offerIds.map(async (offerId) => {
      const numbers = await claims.claimedBy(offerId, viewers.map(({ claimKey }) => claimKey));
      numbers.forEach((number, i) => { if (number !== null) viewers[i]!.claimedOffer ??= offerId; });
    }),
  ]);
  const users = viewers.filter(({ mark, shopper }) => mark === undefined && shopper.startsWith('u:'));
  await Promise.all(users.map(async (viewer) => { viewer.mark = await markOfVisitors(deps, viewer.shopper, cue); }));
}

/** Whoever signs in while a cue stands was reached as the visitor they were. */
async function markOfVisitors({ profiles, store }: CueReadingDeps, user: ShopperKey, cue: LadderCue): Promise<CueMark | undefined> {
  const visitors = await profiles.visitorsOf(user);
  const marks = await Promise.all(groupBy(visitors, partitionOf).map(([partition, there]) => store.served(cue, partition, there)));
  return marks.flat().find((mark) => mark !== undefined);
}

interface Reading {
  readonly cue: LadderCue;
  readonly cases: readonly LiveCase[];
  /** ms */
  readonly now: number;
  /** Told of each viewer, but of those who were reached as the users they have become. The profile is the next one's as soon as it returns: thousands of their own would keep the garbage collector busy. */
  readonly onViewer: (viewer: CueViewer, profile: Profile, document: PortraitDocument) => void;
}

/** What is stored of viewers, of each partition in one go. */
export async function readCueViewers(deps: CueReadingDeps, viewers: readonly CueViewer[], { cue, cases, now, onViewer }: Reading): Promise<void> {
  const { profiles, portraits, store } = deps;
  const fields = fieldsAsked(cases);
  const options = { ids: false, isLean: !cases.some(({ prepared }) => prepared.items.size > 0) && !BULKY.some((field) => fields.has(field)), into: emptyProfile() };
  const moved: CueViewer[] = [];
  await Promise.all(groupBy(viewers, ({ partition }) => partition).map(async ([, there]) => {
    const shoppers = there.map(({ shopper }) => shopper);
    const [values, documents] = await Promise.all([profiles.readMany(shoppers), portraits.openMany(shoppers, fields)]);
    there.forEach((viewer, i) => {
      const value = values[i] ?? null;
      const profile = value === null ? NOBODY : decodeProfile(value, options);
      if (profile.movedTo === undefined) onViewer(viewer, profile, documents[i]!(profile, now));
      else moved.push(viewer);
    });
  }));
  // Visitors who have become users since their sockets were opened.
  await Promise.all(moved.map(async (viewer) => {
    const { shopper, profile } = await currentProfile(profiles, viewer.shopper) ?? { shopper: viewer.shopper, profile: NOBODY };
    viewer.owner = shopper;
    [viewer.mark] = await store.served(cue, partitionOf(shopper), [shopper]);
    if (viewer.mark !== undefined) return;
    const documentOf = await portraits.open(shopper, fields);
    onViewer(viewer, profile, documentOf(profile, now));
  }));
}

/** Not changed by anybody. */
const NOBODY = emptyProfile();
/** Fields that are made of what a lean profile lacks. */
const BULKY: readonly PortraitFieldName[] = ['brands', 'tags', 'season'];

/** @returns what the offers ask of the portrait */
function fieldsAsked(cases: readonly LiveCase[]): ReadonlySet<PortraitFieldName> {
  const fields = new Set<PortraitFieldName>();
  for (const { prepared: { rule, offer } } of cases) {
    for (const field of rule?.fields ?? []) fields.add(field);
    if (offer.eligibility?.segments !== undefined) fields.add('segments');
  }
  return fields;
}
