import type { Position } from '../domain/channel.js';
import { EVENT_LIMITS } from '../domain/event.js';
import { form } from '../domain/form.js';
import { ACTS } from '../domain/interaction.js';
import { RECOMMENDATION_LIMITS, RecommendationSchema } from '../domain/recommendation.js';
import { RoomIdSchema } from '../domain/room.js';
import { SCENES } from '../domain/scene.js';
import { AppError, type ErrorCode } from '../errors.js';
import { makeChecker, type Checker } from '../util/schema-fault.js';
import { Type, type Static } from '../util/type.js';
import { TOKEN_LIMITS } from './token.js';

/**
 * What is said on the socket: JSON text frames with a `type`. A client may give a frame an `id`; the reply carries it
 * as `replyTo`. Unknown types and fields are errors.
 */

const FRAME_LIMITS = {
  /** Messages acknowledged in one frame: more than an inbox keeps. */
  acknowledgedMax: 32,
} as const;

/** What one can subscribe to: the own channel of a shopper, a room, or fresh lists after each own event. */
const ChannelName = form('^(user:|room:|recommendations$)', 'user:<id>, room:<id> or recommendations', { minLength: 1, maxLength: 'user:'.length + EVENT_LIMITS.idBytesMax });
/** Where a client stood in a channel's log. */
const POSITION = {
  epoch: Type.Optional(form('^[0-9]{1,20}$', 'the epoch of a frame, digits')),
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
} as const;

const FRAME_ID_CHARS_MAX = 64;
const FrameId = Type.Optional(Type.String({ minLength: 1, maxLength: FRAME_ID_CHARS_MAX }));
const ShopperId = Type.Optional(Type.String({ minLength: 1, maxLength: EVENT_LIMITS.idBytesMax }));
const Token = Type.String({ maxLength: TOKEN_LIMITS.charsMax });
const strict = { additionalProperties: false } as const;
const INTERACT = { type: Type.Literal('interact'), id: FrameId, roomId: RoomIdSchema } as const;

export const CLIENT_FRAMES = {
  /**
   * The first frame. `token` is a shopper's, who need not be named beside it, or an API key, when either is configured;
   * it is never part of the address.
   */
  auth: Type.Object({ type: Type.Literal('auth'), id: FrameId, token: Type.Optional(Token), userId: ShopperId, anonymousId: ShopperId }, strict),
  /** A newer token of the same shopper. */
  refresh: Type.Object({ type: Type.Literal('refresh'), id: FrameId, token: Token }, strict),
  /** `epoch` and `offset`, both or none, go on where a frame of the channel had them; `scene` and `limit` belong to `recommendations`. */
  subscribe: Type.Object({
    type: Type.Literal('subscribe'), id: FrameId, channel: ChannelName, ...POSITION,
    scene: Type.Optional(Type.Enum([...SCENES])),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: RECOMMENDATION_LIMITS.limitMax })),
  }, strict),
  unsubscribe: Type.Object({ type: Type.Literal('unsubscribe'), id: FrameId, channel: ChannelName }, strict),
  /** Messages that the shopper has: in the inbox they count as read from now on. */
  ack: Type.Object({
    type: Type.Literal('ack'), id: FrameId,
    messageIds: Type.Array(Type.String({ minLength: 1, maxLength: EVENT_LIMITS.idBytesMax }), { minItems: 1, maxItems: FRAME_LIMITS.acknowledgedMax }),
  }, strict),
  /** Events of the socket's shopper, who need not be named in them. */
  events: Type.Object({
    type: Type.Literal('events'), id: FrameId, events: Type.Array(Type.Unknown(), { minItems: 1, maxItems: EVENT_LIMITS.batchMax }),
  }, strict),
  /** The body of `POST /v1/recommendations`, for the socket's shopper. */
  recommendations: Type.Object({ type: Type.Literal('recommendations'), id: FrameId, ...RecommendationSchema.properties }, strict),
  /** Something that a viewer does in a room whose channel the socket has subscribed to. */
  interact: Type.Union([
    Type.Object({ ...ACTS.like, ...INTERACT }, strict), Type.Object({ ...ACTS.comment, ...INTERACT }, strict), Type.Object({ ...ACTS.question, ...INTERACT }, strict),
    Type.Object({ ...ACTS.gift, ...INTERACT }, strict), Type.Object({ ...ACTS.vote, ...INTERACT }, strict),
  ]),
  /** Answers a `ping`. */
  pong: Type.Object({ type: Type.Literal('pong'), id: FrameId, replyTo: FrameId }, strict),
} as const;

type ClientFrames = typeof CLIENT_FRAMES;
export type ClientFrameOf<Type extends keyof ClientFrames> = Static<ClientFrames[Type]>;
export type ClientFrame = { [Type in keyof ClientFrames]: ClientFrameOf<Type> }[keyof ClientFrames];

export type ServerFrame =
  | {
    readonly type: 'ready'; readonly replyTo: string | undefined; readonly expiresInMs: number | undefined;
    readonly pingEveryMs: number; readonly frameBytesMax: number; readonly framesPerMinuteMax: number;
  }
  /** `expiresInMs`: the token's time that is left; absent for an API key. */
  | { readonly type: 'refreshed'; readonly replyTo: string | undefined; readonly expiresInMs: number | undefined }
  | { readonly type: 'token_expires'; readonly expiresInMs: number | undefined }
  /** Of `recommendations`; of other channels see `subscribedFrame`. */
  | { readonly type: 'subscribed'; readonly replyTo: string | undefined; readonly channel: string }
  /** `code`: the channel is no more. */
  | { readonly type: 'unsubscribed'; readonly replyTo?: string | undefined; readonly channel: string; readonly code?: ErrorCode }
  /** Which of the messages the inbox has. */
  | { readonly type: 'acked'; readonly replyTo: string | undefined; readonly messageIds: readonly string[] }
  /** What a viewer did was taken; it counts within a second. */
  | { readonly type: 'interacted'; readonly replyTo: string }
  /** What became of the events of a frame. */
  | {
    readonly type: 'ack'; readonly replyTo: string | undefined;
    readonly accepted: number; readonly duplicates: number;
    readonly rejected: readonly { readonly index: number; readonly code: ErrorCode; readonly message: string }[];
  }
  /** `retryAfterMs` comes with the last frame before a close that says come back. */
  | {
    readonly type: 'error'; readonly replyTo?: string | undefined;
    readonly code: ErrorCode; readonly message: string; readonly statusCode: number; readonly retryable: boolean; readonly retryAfterMs?: number;
  }
  | { readonly type: 'ping' };

export const encodeFrame = (frame: ServerFrame): Buffer => Buffer.from(JSON.stringify(frame));

/**
 * A `recommendations` frame around the JSON object that the recommendation path made.
 * @param replyTo of the client's frame; absent in a list that the server sends of its own accord
 */
export function recommendationsFrame(body: Buffer, replyTo: string | undefined): Buffer {
  const head = `{"type":"recommendations",${replyTo === undefined ? '' : `"replyTo":${JSON.stringify(replyTo)},`}`;
  return Buffer.concat([Buffer.from(head), body.subarray(1)]);
}

/** What a subscription to a channel with a log is answered with, and what is said of its own accord when frames were lost. */
export interface Subscribed extends Position {
  readonly replyTo: string | undefined;
  readonly channel: string;
  /** Of a resume: whether every frame after the client's place follows. */
  readonly recovered: boolean | undefined;
  /** What the channel stands for at that place or later, JSON text; not where it goes on. */
  readonly state: string | undefined;
}

export function subscribedFrame({ state, replyTo, channel, epoch, offset, recovered }: Subscribed): Buffer {
  const head = JSON.stringify({ type: 'subscribed', replyTo, channel, epoch, offset, recovered });
  return Buffer.from(state === undefined ? head : `${head.slice(0, -1)},"state":${state}}`);
}

export function errorFrame(error: AppError, replyTo?: string, retryAfterMs?: number): Buffer {
  return encodeFrame({
    type: 'error', replyTo, ...error.toJSON(), code: error.code, retryable: error.retryable,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

const CHECKERS: ReadonlyMap<string, Checker> = new Map(
  Object.entries(CLIENT_FRAMES).map(([type, schema]) => [type, makeChecker(schema, 'frame')]),
);

export type ParsedFrame =
  | { readonly frame: ClientFrame }
  | { readonly fault: AppError; readonly replyTo: string | undefined };

export function parseFrame(text: string): ParsedFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { fault: new AppError('invalid_json', 'The frame is not JSON.', { cause: error }), replyTo: undefined };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { fault: new AppError('invalid_request', 'A frame is a JSON object with a type.'), replyTo: undefined };
  }
  const replyTo = 'id' in value && typeof value.id === 'string' && value.id.length <= FRAME_ID_CHARS_MAX ? value.id : undefined;
  const checker = 'type' in value && typeof value.type === 'string' ? CHECKERS.get(value.type) : undefined;
  if (checker === undefined) {
    return { fault: new AppError('invalid_request', `type is none of ${Object.keys(CLIENT_FRAMES).join(', ')}.`), replyTo };
  }
  if (!checker.check(value)) return { fault: new AppError('invalid_request', checker.fault(value)), replyTo };
  return { frame: value as ClientFrame };
}
