import { SignJWT, type JWTPayload } from 'jose';
import type { TokenRules } from '../../src/config.js';

/** What a storefront's backend shares with the engine. */
export const JWT: TokenRules = { key: 'a secret that nobody guesses, of 48 bytes or more', algorithm: 'HS256', audience: 'rivulet', issuer: undefined, lifeS: 900 };

export interface TokenOptions {
  readonly key?: string;
  readonly algorithm?: string;
  /** Default five minutes from now. */
  readonly lifeS?: number;
}

/** A token as the storefront's backend makes it. */
export function signToken(claims: JWTPayload, { key = JWT.key, algorithm = JWT.algorithm, lifeS = 300 }: TokenOptions = {}): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + lifeS;
  return new SignJWT({ aud: JWT.audience, exp, ...claims }).setProtectedHeader({ alg: algorithm }).sign(Buffer.from(key));
}
