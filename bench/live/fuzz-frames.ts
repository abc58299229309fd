import { EVENT_TYPES } from '../../src/domain/event.js';
import { LIVE_LIMITS } from '../../src/live/limits.js';
import { CLIENT_FRAMES } from '../../src/live/protocol.js';
import type { Random } from '../../src/util/random.js';
import { valueOf } from './schema-values.js';
import { frameBytes } from './frame-bytes.js';

export interface FuzzOptions {
  readonly random: Random;
  /** Shoppers, rooms and items that exist: of others, too, because those are what must not be reached. */
  readonly names: readonly string[];
  /** Tokens that do not count: forged, expired, of others. */
  readonly tokens: readonly string[];
}

/** Ways to go wrong, and how often. */
const KINDS = {
  valid: 20, mutatedField: 16, mutatedText: 12, randomJson: 8, randomText: 5, deepNesting: 3, hugeNumber: 4, prototypeKeys: 5, unknownType: 4,
  ofOthers: 12, credentials: 4, manyEvents: 2, manyBadEvents: 2, largeText: 2, binary: 0.5, oversized: 0.3, brokenProtocol: 1,
} as const;
export type FuzzKind = keyof typeof KINDS;

const NAMES = Object.keys(KINDS) as FuzzKind[];
const TOTAL = NAMES.reduce((sum, kind) => sum + KINDS[kind], 0);
const TYPES = Object.keys(CLIENT_FRAMES) as (keyof typeof CLIENT_FRAMES)[];
const FRAME_BYTES = LIVE_LIMITS.frameBytesMax;
const PROTOTYPE_KEYS = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__defineGetter__', 'then', 'toJSON', 'valueOf'];
const NUMBERS = ['1e400', '-1e400', '1e308', '-0', '9007199254740993', '0.1e-400', '1'.repeat(5000), '1e', '0x10', '+1', '01', 'NaN', '-'];
const STRINGS = ['', '\u0000', '\ud800', '\u202e', '𝒳'.repeat(50), '../../etc', '*', '{', '}', '{p0}', '\r\n', '"', '\\', '\'; DROP', 'e'.repeat(300), '1-1', 'room:', 'user:', ':', 'null', 'true', 'true '];

/** An endless row of frames that a client should not send, among some that it may: the same for the same seed. */
export class FuzzFrames {
  readonly #options: FuzzOptions;
  readonly #random: Random;
  #count = 0;

  constructor(options: FuzzOptions) {
    this.#options = options;
    this.#random = options.random;
  }

  /** @returns the bytes as they go over the wire, mask and all */
  next(): { readonly kind: FuzzKind; readonly bytes: Buffer } {
    const kind = this.#anyKind();
    this.#count += 1;
    if (kind === 'binary') return { kind, bytes: frameBytes(this.#bytes(200), { opcode: 2 }) };
    if (kind === 'brokenProtocol') return { kind, bytes: this.#brokenProtocol() };
    if (kind === 'randomText') return { kind, bytes: frameBytes(this.#chance(0.9) ? this.#text(60) : this.#bytes(60)) };
    return { kind, bytes: frameBytes(this.#json(kind)) };
  }

  #json(kind: FuzzKind): string {
    switch (kind) {
      case 'mutatedField': return JSON.stringify(this.#mutated(this.#validFrame()));
      case 'mutatedText': return this.#mutatedText(JSON.stringify(this.#validFrame()));
      case 'randomJson': return JSON.stringify(this.#anything());
      case 'deepNesting': return this.#deep();
      case 'hugeNumber': return JSON.stringify({ ...this.#validFrame(), [this.#one(['limit', 'offset', 'count', 'value', 'id', 'x'])]: 0.5 }).replace('0.5', this.#one(NUMBERS));
      case 'prototypeKeys': return this.#prototypes();
      case 'unknownType': return JSON.stringify({ ...this.#validFrame(), type: this.#chance(0.5) ? this.#one(PROTOTYPE_KEYS) : this.#one(TYPES).toUpperCase() });
      case 'ofOthers': return JSON.stringify(this.#ofOthers());
      case 'credentials': return JSON.stringify({ type: this.#one(['auth', 'refresh']), token: this.#one(this.#options.tokens), ...(this.#chance(0.5) ? { userId: this.#name() } : {}) });
      case 'manyEvents': return this.#filled((size) => ({ type: 'events', events: Array.from({ length: size }, () => this.#event()) }), 300);
      case 'manyBadEvents': return this.#filled((size) => ({ type: 'events', events: Array.from({ length: size }, () => this.#one<unknown>([0, {}, [], null, '', { type: 'x' }, { id: 1 }])) }), 5000);
      case 'largeText': return JSON.stringify({ ...this.#validFrame(), [this.#one(['text', 'id', 'channel', 'query', 'type'])]: this.#one(['x', 'ü', '好', '(', ' ', '!']).repeat(Math.floor(FRAME_BYTES / 3) - 500) });
      case 'oversized': return `{"type":"pong","id":"${'x'.repeat(FRAME_BYTES)}"}`;
      default: return JSON.stringify(this.#validFrame());
    }
  }

  #validFrame(): Record<string, unknown> {
    const type = this.#one(TYPES.filter((known) => known !== 'auth'));
    const frame = valueOf(CLIENT_FRAMES[type], { random: this.#random, text: () => this.#one(['', '', '', 'user:', 'room:']) + this.#name(), anything: () => (type === 'events' ? this.#event() : this.#anything()) }) as Record<string, unknown>;
    return { ...frame, id: `f${this.#count}` };
  }

  #event(): Record<string, unknown> {
    return { id: `z${this.#count}-${this.#random()}`, type: this.#one(EVENT_TYPES), itemId: this.#name(), ...(this.#chance(0.2) ? { userId: this.#name() } : {}), ...(this.#chance(0.2) ? { [this.#name()]: this.#anything() } : {}) };
  }

  /** Well-formed wishes for what is somebody else's. */
  #ofOthers(): Record<string, unknown> {
    const id = `o${this.#count}`;
    const name = this.#name();
    const person = this.#one(['userId', 'anonymousId']);
    return this.#one<() => Record<string, unknown>>([
      () => ({ type: 'subscribe', id, channel: `user:${name}` }),
      () => ({ type: 'subscribe', id, channel: `room:${name}`, epoch: String(Date.now() - 1e6), offset: 0 }),
      () => ({ type: 'subscribe', id, channel: this.#one([`user:u:${name}`, `user:a:${name}`, `user:*`, `USER:${name}`, `user:${name}\u0000`, ` user:${name}`, `user:${name}/..`, name]) }),
      () => ({ type: 'unsubscribe', id, channel: `user:${name}` }),
      () => ({ type: 'recommendations', id, scene: 'home', [person]: name }),
      () => ({ type: 'recommendations', id, scene: 'live', roomId: name }),
      () => ({ type: 'events', id, events: [{ id: `${id}e`, type: 'view_item', itemId: 'i', [person]: name }] }),
      () => ({ type: 'interact', id, roomId: name, action: 'comment', text: 'hello' }),
      () => ({ type: 'ack', id, messageIds: [name, `cue_${name}.1`] }),
      () => ({ type: 'auth', id, [person]: name }),
    ])();
  }

  #mutated(frame: Record<string, unknown>): Record<string, unknown> {
    const [name] = [this.#one(Object.keys(frame))];
    const inside = frame[name];
    if (Array.isArray(inside) && inside.length > 0 && this.#chance(0.5)) return { ...frame, [name]: [...inside, this.#anything(), ...inside] };
    if (typeof inside === 'object' && inside !== null && !Array.isArray(inside) && Object.keys(inside).length > 0) return { ...frame, [name]: this.#mutated(inside as Record<string, unknown>) };
    if (this.#chance(0.2)) return Object.fromEntries(Object.entries(frame).filter(([key]) => key !== name));
    if (this.#chance(0.2)) return { ...frame, [this.#one(STRINGS)]: this.#anything() };
    return { ...frame, [name]: this.#anything() };
  }

  #mutatedText(text: string): string {
    const at = Math.floor(this.#random() * text.length);
    const to = at + Math.floor(this.#random() * 8);
    return this.#one([
      () => text.slice(0, at), () => text.slice(at), () => text.slice(0, at) + text.slice(to), () => text.slice(0, at) + this.#one(STRINGS) + text.slice(at),
      () => text.slice(0, at) + String.fromCharCode(Math.floor(this.#random() * 0x300)) + text.slice(at + 1), () => text + text, () => text.slice(0, to) + text.slice(at),
    ])();
  }

  #deep(): string {
    const depth = Math.floor(this.#random() * (FRAME_BYTES / 6 - 100));
    const [open, close] = this.#one([['[', ']'], ['{"a":', '}']] as const);
    const value = open.repeat(depth) + (this.#chance(0.9) ? `1${close.repeat(depth)}` : '');
    return this.#one([value, `{"type":"events","events":[${value}]}`, `{"type":"recommendations","scene":"home","filter":${value}}`, `{"type":"pong","id":${value}}`]);
  }

  #prototypes(): string {
    const [key, inner] = [this.#one(PROTOTYPE_KEYS), this.#one(PROTOTYPE_KEYS)];
    const text = JSON.stringify(this.#validFrame());
    return this.#one([
      `${text.slice(0, -1)},"${key}":{"${inner}":{"scopes":["admin"],"key":"u:victim"}}}`, `{"${key}":{"type":"pong"}}`, `{"type":"events","events":[{"${key}":{"userId":"x"},"id":"${this.#count}","type":"like"}]}`, `{"type":"subscribe","channel":"${key}"}`,
    ]);
  }

  #anything(depth = 0): unknown {
    const kind = Math.floor(this.#random() * (depth > 3 ? 5 : 7));
    if (kind === 0) return this.#one([null, true, false, 0, -1, 1.5, 1e308, -1e308, 2 ** 53, Number.MIN_VALUE]);
    if (kind === 1) return this.#one(STRINGS);
    if (kind === 2) return this.#name();
    if (kind === 3) return this.#random() * 1e6 - 5e5;
    if (kind === 4) return this.#text(20);
    const few = Math.floor(this.#random() * 4);
    if (kind === 5) return Array.from({ length: few }, () => this.#anything(depth + 1));
    return Object.fromEntries(Array.from({ length: few }, () => [this.#chance(0.3) ? this.#one(PROTOTYPE_KEYS) : this.#text(8), this.#anything(depth + 1)]));
  }

  /** As many as fit into a frame. */
  #filled(make: (size: number) => unknown, most: number): string {
    let size = Math.ceil(this.#random() * most);
    for (;;) {
      const text = JSON.stringify(make(size));
      if (Buffer.byteLength(text) < FRAME_BYTES) return text;
      size = Math.floor(size / 2);
    }
  }

  #brokenProtocol(): Buffer {
    const some = this.#bytes(20);
    return this.#one([
      () => frameBytes(some, { opcode: this.#one([3, 4, 7, 11, 15]) }), () => frameBytes(some, { reserved: 0x40 }), () => frameBytes(some, { opcode: 0 }), () => frameBytes(some, { isFinal: false }),
      () => frameBytes(this.#bytes(126 + 50), { opcode: 9 }), () => frameBytes(some, { opcode: 10 }), () => frameBytes(some, { opcode: 9 }), () => frameBytes(Buffer.from([0x0f, 0xa0]), { opcode: 8 }), () => frameBytes(Buffer.from([0]), { opcode: 8 }),
      () => frameBytes('{"type":"pong"}', { isMasked: false }), () => frameBytes(some, { length: 2 ** 40 }), () => this.#bytes(64), () => Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    ])();
  }

  #anyKind(): FuzzKind {
    let left = this.#random() * TOTAL;
    return NAMES.find((kind) => (left -= KINDS[kind]) < 0) ?? 'valid';
  }

  #name(): string {
    return this.#one(this.#options.names);
  }

  #text(lengthMax: number): string {
    return String.fromCharCode(...Array.from({ length: Math.floor(this.#random() * lengthMax) }, () => Math.floor(this.#random() * (this.#chance(0.8) ? 0x7f : 0xffff))));
  }

  #bytes(lengthMax: number): Buffer {
    return Buffer.from(Array.from({ length: Math.floor(this.#random() * lengthMax) }, () => Math.floor(this.#random() * 256)));
  }

  #one<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)]!;
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }
}
