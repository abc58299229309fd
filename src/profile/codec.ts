import { AppError } from '../errors.js';
import {
  HALF_LIFE_COUNT, PRICE_LEVELS, PROFILE_LIMITS, emptyProfile, resetProfile,
  type Affinities, type Line, type OfferMemory, type Profile, type RecentIds, type Touch,
} from './profile.js';

/**
 * A stored profile, little-endian:
 *
 *     token (8) · codec version (1) · body length (2) · body · recent event ids
 *
 * The token is random per write; the compare-and-set script compares it and nothing else. The body is a list of
 * sections `tag (1) · length (2) · payload`; an absent section means its empty value and an unknown one is skipped,
 * so a profile written by an older codec is upgraded by reading it. The version changes only when a section's own
 * meaning changes, and `decodeProfile` then converts it. The ids come last and are read only by writers: a ranking
 * reads the first `HEAD_BYTES` of the value.
 */
export const CODEC_VERSION = 1;
export const TOKEN_BYTES = 8;
/** Enough for token, header and the largest body (all lists full: 3.4 KB). */
export const HEAD_BYTES = 4096;

const HEADER_BYTES = TOKEN_BYTES + 3;
const HASH48_BYTES = 6;
const AGE_OLD = 0xffff;

const SECTION = {
  core: 1, counters: 2, categories: 3, brands: 4, tags: 5, prices: 6, touches: 7, cart: 8, wishlist: 9, orders: 10, session: 11, offers: 12, moved: 13, promotion: 14,
} as const;

/** The largest encoded profile: head and `idsMax` ids with their ages. */
const scratch = Buffer.alloc(HEAD_BYTES + 8 + PROFILE_LIMITS.idsMax * (HASH48_BYTES + 2));
const scratchView = new DataView(scratch.buffer, scratch.byteOffset, scratch.length);
let at = 0;
/** What is read, and the same bytes as numbers: a DataView's accessors compile to plain loads, a Buffer's do not. */
let source: Buffer = scratch;
let view: DataView = scratchView;
let end = 0;

/**
 * @param token 8 random bytes, new for each write
 * @returns the value to store; a fresh buffer, not shared with the next call
 */
export function encodeProfile(profile: Profile, token: Buffer): Buffer {
  token.copy(scratch, 0, 0, TOKEN_BYTES);
  scratch[TOKEN_BYTES] = CODEC_VERSION;
  at = HEADER_BYTES;
  const nowS = Math.floor(profile.updatedAt / 1000);
  section(SECTION.core, () => {
    f64(profile.updatedAt);
    f64(profile.firstAt);
    varint(profile.events);
  });
  section(SECTION.counters, () => writeCounters(profile.counters));
  section(SECTION.categories, () => writeAffinities(profile.categories));
  section(SECTION.brands, () => writeAffinities(profile.brands));
  section(SECTION.tags, () => writeAffinities(profile.tags));
  if (profile.prices.some((value) => value !== 0)) section(SECTION.prices, () => profile.prices.forEach(f32));
  section(SECTION.touches, () => writeTouches(profile.touches, nowS));
  section(SECTION.cart, () => writeLines(profile.cart, nowS));
  section(SECTION.wishlist, () => writeLines(profile.wishlist, nowS));
  if (profile.firstOrderAt !== 0 || profile.refundedMinor !== 0) section(SECTION.orders, () => writeOrders(profile));
  section(SECTION.session, () => {
    varint(profile.sessions);
    f64(profile.sessionStartAt);
    varint(profile.sessionEvents);
  });
  section(SECTION.offers, () => writeOffers(profile.offers, nowS));
  if (profile.promotionAt !== 0) section(SECTION.promotion, () => writePromotion(profile));
  section(SECTION.moved, () => {
    if (profile.movedTo !== undefined) at += scratch.write(profile.movedTo, at);
  });
  scratchView.setUint16(TOKEN_BYTES + 1, at - HEADER_BYTES, true);
  writeIds(profile.ids, nowS);
  return Buffer.from(scratch.subarray(0, at));
}

/** Sections that most readers can do without, and that take most of the time. */
const BULKY: ReadonlySet<number> = new Set([SECTION.brands, SECTION.tags, SECTION.touches]);

/**
 * @param value a stored profile, or its first `HEAD_BYTES` with `ids: false`
 * @param options.into a profile that is made this one, instead of a new one
 * @param options.isLean without brands, tags and touches
 * @throws AppError `profile_unreadable` when a newer codec wrote it or it is not a profile
 */
export function decodeProfile(value: Buffer, options: { ids: boolean; into?: Profile; isLean?: boolean } = { ids: true }): Profile {
  if (value.length < HEADER_BYTES || value[TOKEN_BYTES]! > CODEC_VERSION || value[TOKEN_BYTES] === 0) {
    throw new AppError('profile_unreadable', `codec version ${value[TOKEN_BYTES] ?? 'none'}, known up to ${CODEC_VERSION}`);
  }
  const profile = options.into === undefined ? emptyProfile() : resetProfile(options.into);
  source = value;
  view = new DataView(value.buffer, value.byteOffset, value.length);
  at = HEADER_BYTES;
  const bodyEnd = HEADER_BYTES + value.readUInt16LE(TOKEN_BYTES + 1);
  if (bodyEnd > value.length) throw new AppError('profile_unreadable', `body of ${bodyEnd} bytes in a value of ${value.length}`);
  while (at < bodyEnd) {
    const tag: number = source[at]!;
    end = at + 3 + view.getUint16(at + 1, true);
    at += 3;
    if (options.isLean !== true || !BULKY.has(tag)) readSection(tag, profile);
    at = end;
  }
  if (options.ids) profile.ids = readIds(Math.floor(profile.updatedAt / 1000));
  return profile;
}

/** The value's compare-and-set token. */
export const tokenOf = (value: Buffer): Buffer => value.subarray(0, TOKEN_BYTES);

function readSection(tag: number, profile: Profile): void {
  const nowS = Math.floor(profile.updatedAt / 1000);
  switch (tag) {
    case SECTION.core:
      profile.updatedAt = readF64();
      profile.firstAt = readF64();
      profile.events = readVarint();
      break;
    case SECTION.counters: readCounters(profile.counters); break;
    case SECTION.categories: profile.categories = readAffinities(); break;
    case SECTION.brands: profile.brands = readAffinities(); break;
    case SECTION.tags: profile.tags = readAffinities(); break;
    case SECTION.prices: for (let i = 0; i < PRICE_LEVELS; i++) profile.prices[i] = readF32(); break;
    case SECTION.touches: profile.touches = readTouches(nowS); break;
    case SECTION.cart: profile.cart = readLines(nowS); break;
    case SECTION.wishlist: profile.wishlist = readLines(nowS); break;
    case SECTION.orders: readOrders(profile); break;
    case SECTION.session:
      profile.sessions = readVarint();
      profile.sessionStartAt = readF64();
      profile.sessionEvents = readVarint();
      break;
    case SECTION.offers: profile.offers = readOffers(nowS); break;
    case SECTION.promotion:
      profile.promotionAt = readF64();
      profile.promotedOrders = readVarint();
      break;
    case SECTION.moved: profile.movedTo = source.toString('utf8', at, end); break;
    default: break; // a newer writer's section
  }
}

function section(tag: number, write: () => void): void {
  const start = at;
  at += 3;
  write();
  if (at === start + 3) {
    at = start; // empty: not stored
    return;
  }
  scratch[start] = tag;
  scratchView.setUint16(start + 1, at - start - 3, true);
}

/** Only event types that happened: index, then one float per half-life. */
function writeCounters(counters: Float32Array): void {
  for (let base = 0; base < counters.length; base += HALF_LIFE_COUNT) {
    // The longest half-life outlives the others, so its zero means all are zero.
    if (counters[base + HALF_LIFE_COUNT - 1] === 0) continue;
    scratch[at++] = base / HALF_LIFE_COUNT;
    for (let h = 0; h < HALF_LIFE_COUNT; h++) f32(counters[base + h]!);
  }
}

function readCounters(counters: Float32Array): void {
  while (at < end) {
    const base = source[at++]! * HALF_LIFE_COUNT;
    for (let h = 0; h < HALF_LIFE_COUNT; h++) counters[base + h] = readF32();
  }
}

function writeAffinities(table: Affinities): void {
  for (let i = 0; i < table.keys.length; i++) {
    scratchView.setUint32(at, table.keys[i]!, true);
    at += 4;
    f32(table.short[i]!);
    f32(table.long[i]!);
  }
}

function readAffinities(): Affinities {
  const table: Affinities = { keys: [], short: [], long: [] };
  while (at < end) {
    table.keys.push(view.getUint32(at, true));
    at += 4;
    table.short.push(readF32());
    table.long.push(readF32());
  }
  return table;
}

function writeTouches(touches: readonly Touch[], nowS: number): void {
  for (const touch of touches) {
    hash48(touch.item);
    varint(touch.mask);
    scratch[at++] = touch.count;
    varint(nowS - touch.at / 1000);
  }
}

function readTouches(nowS: number): Touch[] {
  const touches: Touch[] = [];
  while (at < end) touches.push({ item: readHash48(), mask: readVarint(), count: source[at++]!, at: (nowS - readVarint()) * 1000 });
  return touches;
}

function writeLines(lines: readonly Line[], nowS: number): void {
  for (const line of lines) {
    hash48(line.item);
    varint(line.quantity);
    varint(line.priceMinor);
    varint(nowS - line.at / 1000);
  }
}

function readLines(nowS: number): Line[] {
  const lines: Line[] = [];
  while (at < end) lines.push({ item: readHash48(), quantity: readVarint(), priceMinor: readVarint(), at: (nowS - readVarint()) * 1000 });
  return lines;
}

function writeOrders(profile: Profile): void {
  varint(profile.orders);
  varint(profile.units);
  varint(profile.spentMinor);
  varint(profile.refundedMinor);
  f64(profile.firstOrderAt);
  f64(profile.lastOrderAt);
}

function readOrders(profile: Profile): void {
  profile.orders = readVarint();
  profile.units = readVarint();
  profile.spentMinor = readVarint();
  profile.refundedMinor = readVarint();
  profile.firstOrderAt = readF64();
  profile.lastOrderAt = readF64();
}

function writeOffers(offers: readonly OfferMemory[], nowS: number): void {
  for (const offer of offers) {
    hash48(offer.offer);
    scratch[at++] = offer.state;
    varint(nowS - offer.at / 1000);
  }
}

function readOffers(nowS: number): OfferMemory[] {
  const offers: OfferMemory[] = [];
  while (at < end) offers.push({ offer: readHash48(), state: source[at++]!, at: (nowS - readVarint()) * 1000 });
  return offers;
}

function writePromotion(profile: Profile): void {
  f64(profile.promotionAt);
  varint(profile.promotedOrders);
}

/** All ids, then ages in seconds from the first id inside the window on: older ids need none. */
function writeIds({ ids, at: times }: RecentIds, nowS: number): void {
  const windowS = PROFILE_LIMITS.idsWindowMs / 1000;
  let recent = 0;
  while (recent < ids.length && nowS - times[recent]! > windowS) recent += 1;
  varint(ids.length);
  varint(recent);
  for (const id of ids) hash48(id);
  for (let i = recent; i < ids.length; i++) {
    scratchView.setUint16(at, Math.min(AGE_OLD, nowS - times[i]!), true);
    at += 2;
  }
}

/** Built by `push`: an array made with its length up front would keep every id as an object of its own. */
function readIds(nowS: number): RecentIds {
  const length = readVarint();
  const recent = readVarint();
  const ids: number[] = [];
  const times: number[] = [];
  for (let i = 0; i < length; i++) ids.push(readHash48());
  for (let i = 0; i < length; i++) {
    const age = i < recent ? AGE_OLD : view.getUint16(at, true);
    if (i >= recent) at += 2;
    times.push(age === AGE_OLD ? 0 : nowS - age);
  }
  return { ids, at: times };
}

function f32(value: number): void {
  scratchView.setFloat32(at, value, true);
  at += 4;
}

function readF32(): number {
  at += 4;
  return view.getFloat32(at - 4, true);
}

function f64(value: number): void {
  scratchView.setFloat64(at, value, true);
  at += 8;
}

function readF64(): number {
  at += 8;
  return view.getFloat64(at - 8, true);
}

function hash48(value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  scratchView.setUint32(at, value - high * 0x1_0000_0000, true);
  scratchView.setUint16(at + 4, high, true);
  at += HASH48_BYTES;
}

function readHash48(): number {
  at += HASH48_BYTES;
  return view.getUint32(at - 6, true) + view.getUint16(at - 2, true) * 0x1_0000_0000;
}

/** LEB128 over doubles, so that sums beyond 2³² fit. */
function varint(value: number): void {
  let rest = value;
  while (rest > 0x7fff_ffff) {
    scratch[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  // Integers from here on: a remainder of doubles is a call.
  rest |= 0;
  while (rest >= 0x80) {
    scratch[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  scratch[at++] = rest;
}

function readVarint(): number {
  let value = 0;
  let scale = 1;
  for (;;) {
    const byte = source[at++]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 0x80;
  }
}
