import type { JWTPayload } from 'jose';
import * as errors from 'jose/errors';
import { jwtVerify } from 'jose/jwt/verify';
import type { TokenRules } from '../config.js';
import { AppError } from '../errors.js';
import { tokenKey } from '../token-key.js';
import type { Clock } from '../util/clock.js';
import { makeChecker } from '../util/schema-fault.js';
import { Type, type Static } from '../util/type.js';

export const TOKEN_LIMITS = {
  /** Characters of a token. */
  charsMax: 4096,
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
  /** When it stops counting for whoever signed it, ms since 1970; here it counts `clockToleranceS` longer. */
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
  const material = tokenKey(key, algorithm);
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
    if ((claims.sub === undefined) === (claims.anon === undefined)) throw refused('it names nobody, or two: a token has either sub (a user) or anon (a visitor)');
    if (claims.exp > now / 1000 + lifeS + clockToleranceS) throw refused(`its exp is more than ${lifeS} s away`);
    return {
      userId: claims.sub, anonymousId: claims.anon,
      scopes: scopesOf(claims.scope),
      rooms: claims.rooms === '*' ? '*' : new Set(claims.rooms),
      expiresAt: claims.exp * 1000,
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
