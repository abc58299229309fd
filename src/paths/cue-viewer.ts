import { frameParts, type ChannelAddress } from '../domain/channel.js';
import type { MadeClaim } from '../redis/claim-store.js';
import type { ShopperKey } from '../domain/shopper.js';
import type { Drawn, LiveCase } from '../offers/decide/weigh.js';
import { shopperChannel } from '../redis/channel-log.js';
import type { CueMark, CueOutcome } from '../redis/cue-store.js';
import { partitionOf, type Keys } from '../redis/keys.js';
import { hash48 } from '../util/hash.js';

/** A viewer has the room before them: a page like others. */
export const LIVE_PAGE = { scene: 'live', channel: 'page' } as const;

/** A viewer on the way through a cue: each stage fills in what it finds. */
export interface CueViewer {
  readonly shopper: ShopperKey;
  readonly partition: number;
  readonly channel: ChannelAddress;
  /** The frame's JSON before its position. */
  readonly head: string;
  /** Chosen so that the same viewer is never claimed anything twice for a cue. */
  readonly claimKey: string;
  /** Whose profile theirs is: of a merged visitor the user. */
  owner: ShopperKey;
  /** Events in the profile that was decided by. */
  events: number;
  /** Offer that an earlier play has claimed for them. */
  claimedOffer: string | undefined;
  /** Seat in the batch, −1 for none. */
  seat: number;
  drawn: Drawn | undefined;
  claim: MadeClaim | undefined;
  /** Offer of which it is not known whether it was claimed. */
  doubtfulOffer: string | undefined;
  /** `held`: gets nothing, and is not told so. */
  outcome: CueOutcome | 'held' | undefined;
  decisionId: string;
  /** By what name the message counts as a contact, '' for none. */
  contact: string;
  /** JSON; '' as long as there is none. */
  message: string;
  /** What has reached them. */
  mark: CueMark | undefined;
  /** A copy without a place in the log was sent. */
  isTold: boolean;
}

export function cueViewer(keys: Keys, cueId: string, shopper: ShopperKey): CueViewer {
  const channel = shopperChannel(keys, shopper);
  return {
    shopper, partition: partitionOf(shopper), channel, head: frameParts(channel, 'offer', {})[0], claimKey: `cue:${cueId}:${hash48(shopper).toString(36)}`,
    owner: shopper, events: 0, claimedOffer: undefined, seat: -1, drawn: undefined, claim: undefined, doubtfulOffer: undefined,
    outcome: undefined, decisionId: '', contact: '', message: '', mark: undefined, isTold: false,
  };
}

/** What was drawn for a viewer: of a ladder something always is. */
export function choiceOf({ drawn }: CueViewer): LiveCase {
  const { eligible, contenders, chosen } = drawn!;
  return eligible[contenders[chosen]!]!;
}
