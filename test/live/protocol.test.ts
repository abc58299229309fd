import * as fc from 'fast-check';
import t from 'tap';
import { AppError } from '../../src/errors.js';
import { CLIENT_FRAMES, errorFrame, parseFrame, recommendationsFrame } from '../../src/live/protocol.js';
import { isOriginAllowed } from '../../src/live/origin.js';

const faultOf = (value: unknown): string => {
  const parsed = parseFrame(typeof value === 'string' ? value : JSON.stringify(value));
  return 'fault' in parsed ? `${parsed.fault.code}: ${parsed.fault.message}` : 'none';
};

await t.test('frames that fit are taken as they are', (t) => {
  const frames = [
    { type: 'auth', id: '1', userId: 'u' }, { type: 'auth', anonymousId: '\u{1F6D2}', token: 'k' },
    { type: 'subscribe', channel: 'user:ü' }, { type: 'subscribe', channel: 'room:r', epoch: '17', offset: 0 }, { type: 'subscribe', channel: 'recommendations', scene: 'home', limit: 5 },
    { type: 'ack', messageIds: ['m'] },
    { type: 'unsubscribe', channel: 'user:u', id: 'x' }, { type: 'events', events: [{ anything: 'goes, it is checked on the path' }] },
    { type: 'recommendations', scene: 'cart', limit: 3, filter: { brand: ['b'] } }, { type: 'pong', replyTo: '7' },
  ];
  for (const frame of frames) t.same(parseFrame(JSON.stringify(frame)), { frame });
  t.end();
});

await t.test('a frame that does not fit is answered with what is wrong, by name', (t) => {
  t.match(faultOf('{"type":'), /^invalid_json/u);
  t.match(faultOf([]), /JSON object/u);
  t.match(faultOf('null'), /JSON object/u);
  t.match(faultOf({}), /type is none of auth, refresh, subscribe/u);
  t.match(faultOf({ type: 'constructor' }), /type is none of/u);
  t.match(faultOf({ type: 7 }), /type is none of/u);
  t.match(faultOf({ type: 'subscribe' }), /channel is missing/u);
  t.match(faultOf({ type: 'subscribe', channel: 'secrets' }), /channel/u);
  t.match(faultOf({ type: 'subscribe', channel: 'user:u', color: 1 }), /color is not a known field/u);
  t.match(faultOf('{"type":"pong","__proto__":{"a":1}}'), /invalid_request/u);
  for (const wrong of [{ epoch: 'x' }, { epoch: 5 }, { offset: -1 }, { offset: 0.5 }, { channel: 'offers' }, { channel: `user:${'x'.repeat(257)}` }]) {
    t.match(faultOf({ type: 'subscribe', channel: 'user:u', ...wrong }), new RegExp(Object.keys(wrong)[0]!, 'u'));
  }
  t.match(faultOf({ type: 'ack', messageIds: Array(33).fill('m') }), /messageIds/u);
  t.match(faultOf({ type: 'events', events: [] }), /events/u);
  t.match(faultOf({ type: 'events', events: Array(1001).fill(0) }), /events/u);
  t.match(faultOf({ type: 'recommendations', scene: 'home', limit: 1000 }), /limit/u);
  t.match(faultOf({ type: 'pong', id: 'x'.repeat(65) }), /id/u);
  t.match(parseFrame('{"type":"nope","id":"a"}'), { replyTo: 'a' });
  t.match(parseFrame(`{"type":"nope","id":"${'x'.repeat(65)}"}`), { replyTo: undefined });
  t.end();
});

await t.test('no frame breaks the parser', (t) => {
  const name = fc.constantFrom('type', 'id', 'channel', 'epoch', 'offset', 'events', 'scene', 'limit', 'userId', 'filter', '__proto__', 'constructor', 'x');
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom(...Object.keys(CLIENT_FRAMES), 'user:u', 'home', '\ud800', 1e308, -0));
  const frame = fc.array(fc.tuple(name, value), { maxLength: 6 }).map((pairs) => `{${pairs.map(([key, any]) => `${JSON.stringify(key)}:${JSON.stringify(any)}`).join(',')}}`);
  fc.assert(fc.property(fc.oneof(frame, fc.string({ unit: 'binary' }), fc.json()), (text) => {
    const parsed = parseFrame(text);
    return 'frame' in parsed ? parsed.frame.type in CLIENT_FRAMES : parsed.fault instanceof AppError;
  }), { numRuns: 5000 });
  const deep = `{"type":"events","events":[${'['.repeat(30_000)}${']'.repeat(30_000)}]}`;
  t.doesNotThrow(() => parseFrame(deep));
  t.doesNotThrow(() => parseFrame(`{"type":"recommendations","scene":"home","filter":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`));
  t.end();
});

await t.test('server frames', (t) => {
  t.same(JSON.parse(recommendationsFrame(Buffer.from('{"requestId":"r","items":[]}'), 'a"b').toString()), { type: 'recommendations', replyTo: 'a"b', requestId: 'r', items: [] });
  t.same(JSON.parse(recommendationsFrame(Buffer.from('{"items":[]}'), undefined).toString()), { type: 'recommendations', items: [] });
  t.same(JSON.parse(errorFrame(new AppError('rate_limited', 'm'), 'x', 5).toString()), {
    type: 'error', replyTo: 'x', code: 'rate_limited', message: 'm', statusCode: 429, retryable: true, retryAfterMs: 5,
  });
  t.end();
});

await t.test('which pages may connect', (t) => {
  const open = { allowed: ['https://shop.example'], isOpen: true };
  const keyed = { ...open, isOpen: false };
  const cases: [typeof open, string | undefined, string | undefined, boolean][] = [
    [open, undefined, '127.0.0.1:8080', true],
    [open, undefined, 'LOCALHOST', true],
    [open, undefined, '[::1]:8080', true],
    [open, undefined, 'evil.example:8080', false],
    [open, undefined, 'localhost.evil.example:8080', false],
    [open, undefined, undefined, false],
    [keyed, undefined, 'api.shop.example', true],
    [open, 'https://shop.example', '127.0.0.1:8080', true],
    [open, 'https://shop.example.evil.example', '127.0.0.1:8080', false],
    [open, 'http://shop.example', '127.0.0.1:8080', false],
    [open, 'http://127.0.0.1:8080', '127.0.0.1:8080', true],
    [open, 'http://localhost:8080', 'localhost:8080', true],
    [open, 'http://[::1]:8080', '[::1]:8080', true],
    [open, 'http://127.0.0.1:9999', '127.0.0.1:8080', false],
    [open, 'https://evil.example', '127.0.0.1:8080', false],
    // DNS rebinding: the foreign name points at this machine.
    [open, 'http://evil.example:8080', 'evil.example:8080', false],
    [open, 'http://127.evil.example:8080', '127.evil.example:8080', false],
    [open, 'null', '127.0.0.1:8080', false],
    [open, '', '127.0.0.1:8080', false],
    [open, 'file://', '', false],
    [open, 'http://127.0.0.1:8080', undefined, false],
    [keyed, 'https://api.shop.example', 'API.shop.example', true],
    [keyed, 'https://evil.example', 'api.shop.example', false],
  ];
  for (const [rule, origin, host, isAllowed] of cases) t.equal(isOriginAllowed(rule, origin, host), isAllowed, `${origin} at ${host}`);
  t.end();
});
