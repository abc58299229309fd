import t from 'tap';
import fc from 'fast-check';
import { CODEC_VERSION, HEAD_BYTES, TOKEN_BYTES, decodeProfile, encodeProfile, tokenOf } from '../../src/profile/codec.js';
import { fold } from '../../src/profile/fold.js';
import { PROFILE_LIMITS, emptyProfile } from '../../src/profile/profile.js';
import { T0, factsOf, shopperEvents } from '../helpers/events.js';

const token = Buffer.from('12345678');

await t.test('decode(encode(profile)) is the profile, bit for bit, after any events', async (t) => {
  fc.assert(fc.property(shopperEvents(200), (events) => {
    const profile = emptyProfile();
    for (const event of events) fold(profile, event, factsOf(event.itemId));
    const bytes = encodeProfile(profile, token);
    const decoded = decodeProfile(bytes);
    // Ages of event ids outside the window are not kept; nothing reads them.
    t.same({ ...decoded, ids: decoded.ids.ids }, { ...profile, ids: profile.ids.ids });
    t.same(encodeProfile(decoded, token), bytes);
  }), { numRuns: 100 });
});

await t.test('folding on after a trip through the store gives the same bytes as folding in memory', async (t) => {
  fc.assert(fc.property(shopperEvents(80), fc.nat(80), (events, cut) => {
    const whole = emptyProfile();
    for (const event of events) fold(whole, event, factsOf(event.itemId));
    const first = emptyProfile();
    for (const event of events.slice(0, cut)) fold(first, event, factsOf(event.itemId));
    const second = decodeProfile(encodeProfile(first, token));
    for (const event of events.slice(cut)) fold(second, event, factsOf(event.itemId));
    t.same(encodeProfile(second, token), encodeProfile(whole, token));
  }), { numRuns: 100 });
});

await t.test('a reader that leaves the event ids out needs only the head', async (t) => {
  const profile = emptyProfile();
  for (let i = 0; i < 5000; i++) {
    const event = { id: `e${i}`, type: i % 2 === 0 ? 'add_to_cart' : 'add_to_wishlist', shopper: 'u:one', itemId: `item-${i % 200}`, at: T0 + i * 10, valueMinor: 1e11, context: { offerId: `offer ${i}` } } as const;
    fold(profile, event, factsOf(event.itemId));
  }
  profile.movedTo = `u:${'€'.repeat(85)}`;
  const bytes = encodeProfile(profile, token);
  t.equal(profile.ids.ids.length, PROFILE_LIMITS.idsMax);
  t.ok(bytes.length > 4096 * 6);
  const head = decodeProfile(bytes.subarray(0, HEAD_BYTES), { ids: false });
  t.same({ ...head, ids: undefined }, { ...profile, ids: undefined });
});

await t.test('an older or newer writer: absent sections read as empty, unknown ones are skipped, a newer version is refused', async (t) => {
  const profile = emptyProfile();
  fold(profile, { id: 'a', type: 'purchase', shopper: 'u:one', itemId: 'item-1', at: T0, valueMinor: 500 }, factsOf('item-1'));
  const bytes = encodeProfile(profile, token);
  const bodyEnd = TOKEN_BYTES + 3 + bytes.readUInt16LE(TOKEN_BYTES + 1);
  // An older writer knew nothing but the core section.
  const coreLength = 3 + bytes.readUInt16LE(TOKEN_BYTES + 4);
  const old = Buffer.concat([bytes.subarray(0, TOKEN_BYTES + 3 + coreLength), bytes.subarray(bodyEnd)]);
  old.writeUInt16LE(coreLength, TOKEN_BYTES + 1);
  t.match(decodeProfile(old), { events: 1, updatedAt: T0, orders: 0, touches: [] });
  // A newer one added a section of its own.
  const added = Buffer.from([200, 2, 0, 7, 7]);
  const newer = Buffer.concat([bytes.subarray(0, bodyEnd), added, bytes.subarray(bodyEnd)]);
  newer.writeUInt16LE(bodyEnd - TOKEN_BYTES - 3 + added.length, TOKEN_BYTES + 1);
  t.same(decodeProfile(newer), decodeProfile(bytes));
  const unknown = Buffer.from(bytes);
  unknown[TOKEN_BYTES] = CODEC_VERSION + 1;
  t.throws(() => decodeProfile(unknown), { code: 'profile_unreadable' });
  t.throws(() => decodeProfile(Buffer.from('short')), { code: 'profile_unreadable' });
});

await t.test('the token is the first eight bytes', async (t) => {
  t.same(tokenOf(encodeProfile(emptyProfile(), token)), token);
});
