import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { errors, jwtVerify, type JWTPayload } from 'jose';
import { Type, type Static } from 'typebox';
import type { TokenRules } from '../config.js';
import { AppError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { makeChecker } from '../util/schema-fault.js';

export const TOKEN_LIMITS = {
  /** Characters of a token. */
  charsMax: 4096,
  /** Bytes of a secret: what HS256 asks for. */
  secretBytesMin: 32,
  /** How far clocks of whoever signs may be off, s. */
  clockToleranceS: 5,
} as const;

/** What a token may let a shopper do; anything else takes an API key. */
export const TOKEN_SCOPES = ['recommend', 'events'] as const;
export type TokenScope = (typeof TOKEN_SCOPES)[number];

/** Who a token speaks for, and what it may. */
export interface Claims {
  /** `sub` is a user, `anon` a visitor. */
  readonly userId: string | undefined;
  readonly anonymousId: string | undefined;
  readonly scopes: ReadonlySet<TokenScope>;
  /** Invited rooms that the shopper may enter. */
  readonly rooms: ReadonlySet<string> | '*';
  /** When it stops counting, ms since 1970. */
  readonly expiresAt: number;
}

/** @throws AppError `unauthorized`, or `token_expired` for a token that was good */
export type TokenVerifier = (token: string) => Promise<Claims>;

const ClaimsSchema = Type.Object({
  exp: Type.Number(),
  sub: Type.Optional(Type.String({ minLength: 1 })),
  anon: Type.Optional(Type.String({ minLength: 1 })),
  scope: Type.Optional(Type.String()),
  rooms: Type.Optional(Type.Union([Type.Literal('*'), Type.Array(Type.String())])),
});
const CLAIMS = makeChecker(ClaimsSchema, 'token');

/**
 * Verifies tokens by one key, one algorithm and one audience: what a token says of its own algorithm or key decides nothing.
 * @throws AppError `invalid_request` when the key does not fit the algorithm
 */
export function tokenVerifier({ key, algorithm, audience, issuer, lifeS }: TokenRules, clock: Clock): TokenVerifier {
  const { clockToleranceS, charsMax } = TOKEN_LIMITS;
  const material = algorithm === 'HS256' ? secretKey(key) : publicKey(key, algorithm);
  const rules = { algorithms: [algorithm], audience, clockTolerance: clockToleranceS, requiredClaims: ['exp'], ...(issuer === undefined ? {} : { issuer }) };
  return async (token) => {
    if (token.length > charsMax) throw refused(`it is longer than ${charsMax} characters`);
    const now = clock();
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, material, { ...rules, currentDate: new Date(now) }));
    } catch (error) {
      throw asRefusal(error);
    }
    if (!CLAIMS.check(payload)) throw refused(CLAIMS.fault(payload));
    const claims = payload as Static<typeof ClaimsSchema>;
    if (claims.exp > now / 1000 + lifeS + clockToleranceS) throw refused(`its exp is more than ${lifeS} s away`);
    return {
      userId: claims.sub, anonymousId: claims.anon,
      scopes: scopesOf(claims.scope),
      rooms: claims.rooms === '*' ? '*' : new Set(claims.rooms),
      // Whoever was let in within the tolerance stays as long.
      expiresAt: (claims.exp + clockToleranceS) * 1000,
    };
  };
}

/** Scopes that we do not know are somebody else's. */
function scopesOf(scope: string | undefined): ReadonlySet<TokenScope> {
  if (scope === undefined) return new Set(TOKEN_SCOPES);
  const named = scope.split(' ');
  return new Set(TOKEN_SCOPES.filter((known) => named.includes(known)));
}

function asRefusal(error: unknown): AppError {
  if (error instanceof errors.JWTExpired) return new AppError('token_expired', 'The token has expired; get a new one.', { cause: error });
  // Only of a token whose signature is good: who could not sign it learns nothing.
  if (error instanceof errors.JWTClaimValidationFailed) return refused(`its claim ${error.claim} is missing or not as expected`, error);
  if (error instanceof errors.JOSEError) return refused('it is not a JWT that the configured key and algorithm verify', error);
  throw error;
}

const refused = (why: string, cause?: Error): AppError => new AppError('unauthorized', `The token is refused: ${why}.`, { cause });

function secretKey(secret: string): KeyObject {
  const bytes = Buffer.from(secret);
  // Anybody has a public key; as a secret it would let anybody sign.
  if (secret.includes('-----BEGIN')) throw misfit('HS256', 'a secret, not a key in PEM');
  if (bytes.length < TOKEN_LIMITS.secretBytesMin) throw misfit('HS256', `a secret of ${TOKEN_LIMITS.secretBytesMin} bytes or more`);
  return createSecretKey(bytes);
}

/** Kinds of keys by algorithm, as Node names them. */
const KEY_KINDS = { RS256: 'rsa', ES256: 'ec', EdDSA: 'ed25519' } as const;
const RSA_BITS_MIN = 2048;

function publicKey(pem: string, algorithm: keyof typeof KEY_KINDS): KeyObject {
  const expected = `a public key in PEM (${KEY_KINDS[algorithm]})`;
  if (pem.includes('PRIVATE KEY')) throw misfit(algorithm, `${expected}; the private one stays with whoever signs`);
  let key: KeyObject;
  try {
    // Line breaks do not survive every way in which settings are passed on.
    key = createPublicKey(pem.replaceAll('\\n', '\n'));
  } catch {
    throw misfit(algorithm, expected);
  }
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const isFit = key.asymmetricKeyType === KEY_KINDS[algorithm]
    && (algorithm !== 'ES256' || namedCurve === 'prime256v1') && (algorithm !== 'RS256' || modulusLength >= RSA_BITS_MIN);
  if (!isFit) throw misfit(algorithm, `${expected}${algorithm === 'ES256' ? ' on P-256' : algorithm === 'RS256' ? ` of ${RSA_BITS_MIN} bits or more` : ''}`);
  return key;
}

const misfit = (algorithm: string, expected: string): AppError =>
  new AppError('invalid_request', `Setting JWT_KEY does not fit JWT_ALGORITHM ${algorithm}; expected ${expected}.`);
