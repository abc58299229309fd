import { Type, type Static, type TObject } from '../util/type.js';
import { CUE_LIMITS } from './cue.js';
import { EVENT_LIMITS } from './event.js';
import { CurrencyCode, form } from './form.js';

/** Limits of what a viewer does in a room; each is checked at the boundary. */
export const INTERACTION_LIMITS = {
  /** Characters of a comment or question, and of the name under it. */
  textCharsMax: 200,
  nameCharsMax: 24,
  /** Likes that a page may gather into one frame, and gifts. */
  likesMax: 50,
  giftsMax: 100,
} as const;

const Id = Type.String({ minLength: 1, maxLength: EVENT_LIMITS.idBytesMax });
/** A product of the room. */
const ItemId = Type.Optional(Id);
const CueId = form('^[A-Za-z0-9_-]{1,40}\\.[1-9][0-9]{0,5}$', 'the id of a cue: <room>.<number>');
/** UTF-16 units: a character may take two, and marks on it more; `cleanText` counts characters. */
const Text = Type.String({ minLength: 1, maxLength: INTERACTION_LIMITS.textCharsMax * 4 });
const Name = Type.Optional(Type.String({ minLength: 1, maxLength: INTERACTION_LIMITS.nameCharsMax * 4 }));

/** What a viewer can do in a room, by its fields. */
export const ACTS = {
  /** Of the room, or of one of its products. */
  like: { action: Type.Literal('like'), count: Type.Optional(Type.Integer({ minimum: 1, maximum: INTERACTION_LIMITS.likesMax })), itemId: ItemId },
  comment: { action: Type.Literal('comment'), text: Text, name: Name, itemId: ItemId },
  question: { action: Type.Literal('question'), text: Text, name: Name, itemId: ItemId },
  /** Counts for the gift goals that are open. `value`: what all of them are worth, in major units. */
  gift: {
    action: Type.Literal('gift'), count: Type.Optional(Type.Integer({ minimum: 1, maximum: INTERACTION_LIMITS.giftsMax })),
    value: Type.Optional(Type.Number({ minimum: 0, maximum: EVENT_LIMITS.valueMax })), currency: Type.Optional(CurrencyCode),
  },
  /** `option` counts from 0. */
  vote: { action: Type.Literal('vote'), cueId: CueId, option: Type.Integer({ minimum: 0, maximum: CUE_LIMITS.optionsMax - 1 }) },
} as const;
export type Action = keyof typeof ACTS;
type Acts = { readonly [Name in Action]: Static<TObject<(typeof ACTS)[Name]>> };
export type Act<Name extends Action> = Acts[Name];
export type Interaction = Acts[Action];

/** What viewers see of a comment. */
export interface RoomComment {
  readonly id: string;
  readonly kind: 'comment' | 'question';
  /** The name that its writer gave, unverified; empty: none. */
  readonly from: string;
  readonly text: string;
  /** ms */
  readonly at: number;
  readonly itemId?: string;
}

/** The room's counts, as in the frame `stats`. */
export interface RoomStats {
  /** Shoppers here now: at two processes a shopper counts twice. */
  readonly viewers: number;
  /** … and ever, within about 1 %. */
  readonly unique: number;
  readonly likes: number;
  readonly gifts: number;
  /** Questions among them. */
  readonly comments: number;
  readonly questions: number;
  /** Of the latest polls: number of the cue → votes by option. */
  readonly polls: Readonly<Record<string, readonly number[]>>;
  /** Of the latest gift goals: number of the cue → gifts. */
  readonly goals: Readonly<Record<string, number>>;
}

/** What one process adds to a room at once. */
export interface RoomBatch {
  readonly likes: number;
  readonly gifts: number;
  readonly comments: number;
  readonly questions: number;
  /** Number of the cue → gifts for its goal. */
  readonly goals: Readonly<Record<string, number>>;
  /** The last vote of each voter: number of the cue, voter, option, how many options there are. */
  readonly votes: readonly (readonly [number: number, voter: string, option: number, options: number])[];
  /** Comments by how they sound. */
  readonly moods: Readonly<Record<string, number>>;
  /** Topic → questions; product → carts. */
  readonly topics: Readonly<Record<string, number>>;
  readonly carts: Readonly<Record<string, number>>;
  /** What all are shown, in order. */
  readonly said: readonly RoomComment[];
  /** Shoppers who came. */
  readonly joined: readonly string[];
}

export const NO_STATS: RoomStats = { viewers: 0, unique: 0, likes: 0, gifts: 0, comments: 0, questions: 0, polls: {}, goals: {} };
