import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { SignJWT, type JWTPayload } from 'jose';
import t from 'tap';
import type { Scope, TokenRules } from '../../src/config.js';
import { keyBook } from '../../src/http/auth.js';
import { authentication } from '../../src/live/authentication.js';
import { tokenVerifier, type TokenVerifier } from '../../src/live/token.js';

const NOW = Date.parse('2026-03-10T12:00:00Z');
const SECRET = 'a secret that nobody guesses, of 48 bytes or more';
const RULES: TokenRules = { key: SECRET, algorithm: 'HS256', audience: 'rivulet', issuer: 'https://shop.example', lifeS: 900 };
const clock = (): number => NOW;

const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
const PAIRS = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
};
type Asymmetric = keyof typeof PAIRS;
const ASYMMETRIC = Object.keys(PAIRS) as Asymmetric[];

const GOOD = { sub: 'ann', aud: 'rivulet', iss: 'https://shop.example', exp: NOW / 1000 + 300 };
const sign = (claims: JWTPayload, alg = 'HS256', key: Uint8Array | KeyObject = Buffer.from(SECRET)): Promise<string> => new SignJWT(claims).setProtectedHeader({ alg }).sign(key);
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
/** A token that no library would sign. */
const byHand = (header: unknown, claims: unknown, signature: (text: string) => string): string => {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${signature(text)}`;
};
const hmac = (key: string) => (text: string): string => createHmac('sha256', key).update(text).digest('base64url');
const verify = tokenVerifier(RULES, clock);
const without = (name: keyof typeof GOOD): JWTPayload => Object.fromEntries(Object.entries(GOOD).filter(([claim]) => claim !== name));

await t.test('a good token says who speaks and what they may', async (t) => {
  t.match(await verify(await sign(GOOD)), { userId: 'ann', anonymousId: undefined, rooms: new Set(), expiresAt: NOW + 300_000 });
  t.same([...(await verify(await sign(GOOD))).scopes], ['recommend', 'events']);
  const { anonymousId, scopes, rooms } = await verify(await sign({ ...without('sub'), anon: 'visitor-7', scope: 'events admin offers other', rooms: ['r1', 'r2'] }));
  t.equal(anonymousId, 'visitor-7');
  t.same([...scopes], ['events'], 'a token never makes an operator');
  t.same(rooms, new Set(['r1', 'r2']));
  t.equal((await verify(await sign({ ...GOOD, rooms: '*' }))).rooms, '*');
  t.match(await verify(await sign({ ...GOOD, aud: ['other', 'rivulet'] })), { userId: 'ann' }, 'one of several audiences');
  t.match(await verify(await sign({ ...GOOD, exp: NOW / 1000 - 4 })), { expiresAt: NOW - 4000 }, 'clocks may be a little off');
  const anyIssuer = tokenVerifier({ ...RULES, issuer: undefined }, clock);
  t.match(await anyIssuer(await sign(without('iss'))), { userId: 'ann' });
  for (const algorithm of ASYMMETRIC) {
    const rules: TokenRules = { ...RULES, algorithm, key: pem(PAIRS[algorithm].publicKey).replaceAll('\n', '\\n') };
    t.match(await tokenVerifier(rules, clock)(await sign(GOOD, algorithm, PAIRS[algorithm].privateKey)), { userId: 'ann' }, algorithm);
  }
});

await t.test('claims that do not fit are refused, with a word for whoever signs', async (t) => {
  const cases: [string, JWTPayload, string, RegExp][] = [
    ['expired', { ...GOOD, exp: NOW / 1000 - 6 }, 'token_expired', /expired/u],
    ['without exp', without('exp'), 'unauthorized', /exp/u],
    ['too long', { ...GOOD, exp: NOW / 1000 + 906 }, 'unauthorized', /more than 900 s/u],
    ['for ever', { ...GOOD, exp: 1e300 }, 'unauthorized', /more than 900 s/u],
    ['not yet', { ...GOOD, nbf: NOW / 1000 + 60 }, 'unauthorized', /nbf/u],
    ['without audience', without('aud'), 'unauthorized', /aud/u],
    ['other audience', { ...GOOD, aud: 'rivulet2' }, 'unauthorized', /aud/u],
    ['without issuer', without('iss'), 'unauthorized', /iss/u],
    ['other issuer', { ...GOOD, iss: 'https://shop.example.evil' }, 'unauthorized', /iss/u],
    ['rooms of another type', { ...GOOD, rooms: 'r1' }, 'unauthorized', /rooms/u],
    ['of nobody', without('sub'), 'unauthorized', /nobody.*sub .*anon/u],
    ['of two', { ...GOOD, anon: 'visitor-7' }, 'unauthorized', /or two/u],
    ['a subject of another type', { ...GOOD, sub: ['ann'] as unknown as string }, 'unauthorized', /sub/u],
  ];
  for (const [name, claims, code, message] of cases) await t.rejects(verify(await sign(claims)), { code, message }, name);
});

await t.test('no other algorithm, no other key, whatever the header says', async (t) => {
  const forged: [string, string][] = [
    ['none', byHand({ alg: 'none' }, GOOD, () => '')],
    ['None', byHand({ alg: 'None' }, GOOD, () => '')],
    ['none with a signature', byHand({ alg: 'none' }, GOOD, hmac(SECRET))],
    ['no algorithm', byHand({ typ: 'JWT' }, GOOD, hmac(SECRET))],
    ['HS512', await sign(GOOD, 'HS512')],
    ['another secret', await sign(GOOD, 'HS256', Buffer.from(SECRET.toUpperCase()))],
    ['an empty secret', byHand({ alg: 'HS256' }, GOOD, hmac(''))],
    ['a key of its own', byHand({ alg: 'ES256', jwk: PAIRS.ES256.publicKey.export({ format: 'jwk' }) }, GOOD, () => 'AA')],
    ['a key elsewhere', byHand({ alg: 'HS256', jku: 'https://evil.example/keys', kid: '../../dev/null' }, GOOD, hmac(''))],
    ['critical extensions', byHand({ alg: 'HS256', crit: ['exp'], exp: 1 }, GOOD, hmac(SECRET))],
    ['an unencoded payload', byHand({ alg: 'HS256', crit: ['b64'], b64: false }, GOOD, hmac(SECRET))],
    ['claims that are no object', byHand({ alg: 'HS256' }, [GOOD], hmac(SECRET))],
    ['changed claims', (await sign(GOOD)).replace(/\.[^.]+\./u, `.${part({ ...GOOD, sub: 'bob' })}.`)],
    ['without signature', (await sign(GOOD)).replace(/[^.]+$/u, '')],
    ['five parts', `${await sign(GOOD)}.x.y`], ['nothing', ''], ['dots', '..'],
    ['too long', await sign({ ...GOOD, pad: 'x'.repeat(4096) })],
  ];
  for (const [name, token] of forged) await t.rejects(verify(token), { code: 'unauthorized' }, name);
  for (const algorithm of ASYMMETRIC) {
    const key = pem(PAIRS[algorithm].publicKey);
    const verifyThis = tokenVerifier({ ...RULES, algorithm, key }, clock);
    await t.rejects(verifyThis(byHand({ alg: 'HS256' }, GOOD, hmac(key))), { code: 'unauthorized' }, `${algorithm}: its public key as a secret`);
    await t.rejects(verifyThis(byHand({ alg: 'none' }, GOOD, () => '')), { code: 'unauthorized' }, `${algorithm}: none`);
    for (const other of ASYMMETRIC.filter((name) => name !== algorithm)) {
      await t.rejects(verifyThis(await sign(GOOD, other, PAIRS[other].privateKey)), { code: 'unauthorized' }, `${algorithm}: signed by ${other}`);
    }
  }
});

await t.test('any change of a token is noticed', async (t) => {
  const token = await sign(GOOD);
  const last = token.length - 1;
  await fc.assert(fc.asyncProperty(fc.nat(last - 1), fc.constantFrom('A', 'Z', 'a', 'z', '0', '9', '-', '_', '.', '=', '\u0000', 'é'), async (at, char) => {
    fc.pre(token[at] !== char);
    const error: unknown = await verify(token.slice(0, at) + char + token.slice(at + 1)).catch((thrown: unknown) => thrown);
    return typeof error === 'object' && error !== null && 'code' in error && error.code === 'unauthorized';
  }), { numRuns: 500, seed: 5 });
  t.pass();
});

await t.test('a key that does not fit its algorithm stops the start', async (t) => {
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
  const cases: [string, Partial<TokenRules>][] = [
    ['a short secret', { key: 'too-short' }],
    ['a public key as a secret', { key: pem(PAIRS.RS256.publicKey) }],
    ['a secret as a public key', { algorithm: 'ES256' }],
    ['a key of another kind', { algorithm: 'ES256', key: pem(PAIRS.RS256.publicKey) }],
    ['another curve', { algorithm: 'ES256', key: pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey) }],
    ['a weak key', { algorithm: 'RS256', key: pem(small) }],
    ['a private key', { algorithm: 'EdDSA', key: PAIRS.EdDSA.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }],
  ];
  for (const [name, changes] of cases) t.throws(() => tokenVerifier({ ...RULES, ...changes }, clock), { code: 'invalid_request', message: /JWT_KEY/u }, name);
});

await t.test('who speaks', async (t) => {
  const keys = keyBook(new Map<string, ReadonlySet<Scope>>([['key-of-the-shop', new Set(['recommend'])], ['master-key', new Set(['admin'])]]));
  const authenticate = authentication({ scopesOf: keys, verify });
  const token = await sign({ ...GOOD, rooms: ['r1'] });
  t.match(await authenticate({ token }), { key: 'u:ann', rooms: new Set(['r1']), expiresAt: NOW + 300_000 });
  t.match(await authenticate({ token, userId: 'ann' }), { key: 'u:ann' });
  t.match(await authenticate({ token: 'key-of-the-shop', anonymousId: 'v' }), { key: 'a:v', rooms: new Set(), expiresAt: Infinity });
  t.match(await authenticate({ token: 'master-key', userId: 'ann' }), { rooms: '*' });
  const refusals: [string, Parameters<typeof authenticate>[0], string][] = [
    ['another user beside the token', { token, userId: 'bob' }, 'forbidden'],
    ['a visitor of the same name', { token, anonymousId: 'ann' }, 'forbidden'],
    ['both', { token, userId: 'ann', anonymousId: 'ann' }, 'invalid_request'],
    ['nothing', { userId: 'ann' }, 'unauthorized'],
    ['an unknown key', { token: 'key-of-the-shoq', userId: 'ann' }, 'unauthorized'],
    ['a key and nobody', { token: 'master-key' }, 'invalid_request'],
    ['a token of nobody', { token: await sign(without('sub')) }, 'unauthorized'],
    ['a token of two', { token: await sign({ ...GOOD, anon: 'v' }) }, 'unauthorized'],
    ['a token of a very long name', { token: await sign({ ...GOOD, sub: 'ü'.repeat(129) }) }, 'invalid_request'],
  ];
  for (const [name, credentials, code] of refusals) await t.rejects(authenticate(credentials), { code }, name);
  const withoutTokens = authentication({ scopesOf: keys, verify: undefined });
  await t.rejects(withoutTokens({ token, userId: 'ann' }), { code: 'unauthorized' }, 'tokens where none are configured');
  const unverified: TokenVerifier = () => Promise.reject(new Error('asked'));
  const open = authentication({ scopesOf: () => new Set(['recommend', 'admin'] as const), verify: unverified });
  t.match(await open({ userId: 'ann' }), { key: 'u:ann', rooms: '*' }, 'an open engine takes everybody at their word');
});
