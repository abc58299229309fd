import { USER_FEATURES } from '../profile/vector.js';
import type { ByteWriter } from '../util/byte-writer.js';
import { ITEM_FEATURES } from '../ranking/features.js';
import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';
import { VectorLog } from './vector-log.js';

export const IMPRESSION_LIMITS = {
  /** Impressions written together, at most, or after this time, ms. */
  flushAt: 64,
  flushMs: 25,
  /** Writes under way; beyond that impressions are dropped and counted. */
  writesMax: 16,
  /** Entries (of up to `flushAt` impressions) a partition's stream keeps when nobody archives it, about. */
  streamMax: 500,
} as const;

/** What was shown and why: what training reads. */
export interface Impression {
  readonly requestId: string;
  readonly shopper: string;
  readonly scene: string;
  readonly model: string;
  /** ms */
  readonly at: number;
  /** What a replay needs to know beside that, and cannot tell from the rest of the log. */
  readonly state: RankedState;
  /** The shopper's features; read before `add` returns. */
  readonly user: Float32Array;
  /** Feature rows of all candidates, by slot; read before `add` returns. */
  readonly items: Float32Array;
  /** In order of position. */
  readonly shown: readonly ShownItem[];
}

/** What a list was ranked by. */
export interface RankedState {
  /** Events folded into the profile, which names its state; undefined when it was not as in the store, or something else the list was ranked by has no name. */
  readonly events: number | undefined;
  /** The item the page was about. */
  readonly itemId: string | undefined;
  /** The change of the catalog that this process had. */
  readonly catalog: number;
  /** Version of the statistics, the change of the catalog they were bound at, and version of the trending lists. */
  readonly statistics: string;
  readonly bound: number;
  readonly trending: number;
  /** Label of the model whose features were written, empty without one, and the change of the catalog its encoder was bound at. */
  readonly model: string;
  readonly encoder: number | undefined;
}

export interface ShownItem {
  /** The item's id as JSON text: it is only written on. */
  readonly idJson: string;
  /** Row of `items` that holds its features. */
  readonly slot: number;
  readonly score: number;
  readonly propensity: number;
  /** Index into `SOURCES` of the source that proposed it first. */
  readonly source: number;
  /** Bit i: proposed by `SOURCES[i]`. */
  readonly proposedBy: number;
}

/** Floats of one shown item: score, propensity, features. */
export const SHOWN_FLOATS = 2 + ITEM_FEATURES.length;
/**
 * Writes impressions behind the replies: see `VectorLog`. Of each impression the floats are the shopper's features, then for each shown
 * item its score, propensity and features.
 */
export class ImpressionLog {
  readonly #log: VectorLog;

  constructor(redis: RedisClient, keys: Keys) {
    this.#log = new VectorLog(redis, keys.impressions, IMPRESSION_LIMITS);
  }

  get dropped(): number {
    return this.#log.dropped;
  }

  add(impression: Impression): void {
    const floats = USER_FEATURES.length + impression.shown.length * SHOWN_FLOATS;
    this.#log.add(floats, (out, at) => { stage(out, at, impression); }, (out) => { writeLine(out, impression); });
  }

  /** Writes what waits. Never rejects: impressions that Redis does not take are counted as dropped. */
  flush(): Promise<void> {
    return this.#log.flush();
  }
}

/** Copies an impression's numbers to `out` from `to` on. */
function stage(out: Float32Array, to: number, { user, items, shown }: Impression): void {
  const width = ITEM_FEATURES.length;
  for (let i = 0; i < USER_FEATURES.length; i++) out[to + i] = user[i]!;
  let at = to + USER_FEATURES.length;
  for (const { slot, score, propensity } of shown) {
    out[at] = score;
    out[at + 1] = propensity;
    for (let i = 0, from = slot * width; i < width; i++) out[at + 2 + i] = items[from + i]!;
    at += SHOWN_FLOATS;
  }
}

/** A line of JSON. Ids and labels of ours need no escaping; a shopper's id is the client's. */
function writeLine(out: ByteWriter, { requestId, shopper, scene, model, at, state, shown }: Impression): void {
  out.text(`{"requestId":"${requestId}","shopper":${JSON.stringify(shopper)},"scene":"${scene}","model":"${model}","at":${at},"items":[`);
  for (let i = 0; i < shown.length; i++) {
    if (i > 0) out.text(',');
    out.text(shown[i]!.idJson);
  }
  out.text('],"sources":[');
  for (let i = 0; i < shown.length; i++) {
    if (i > 0) out.text(',');
    out.whole(shown[i]!.source);
  }
  out.text('],"proposedBy":[');
  for (let i = 0; i < shown.length; i++) {
    if (i > 0) out.text(',');
    out.whole(shown[i]!.proposedBy);
  }
  const { events, itemId } = state;
  out.text('],"world":');
  out.bytes(worldOf(state));
  if (events !== undefined) out.text(`,"events":${events}`);
  if (itemId !== undefined) out.text(`,"itemId":${JSON.stringify(itemId)}`);
  out.text('}');
}

let latest: RankedState | undefined;
let latestWorld = Buffer.alloc(0);

/** The versions as JSON: seldom others than for the impression before. */
function worldOf(state: RankedState): Buffer {
  const { catalog, statistics, bound, trending, model, encoder } = state;
  const isSame = latest !== undefined && latest.trending === trending && latest.catalog === catalog && latest.statistics === statistics
    && latest.bound === bound && latest.model === model && latest.encoder === encoder;
  if (!isSame) latestWorld = Buffer.from(JSON.stringify({ catalog, statistics, bound, trending, model, encoder }));
  latest = state;
  return latestWorld;
}
