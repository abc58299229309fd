import type { Scope } from '../config.js';
import { EVENT_LIMITS } from '../domain/event.js';
import type { Room } from '../domain/room.js';
import { shopperIds, shopperKey, type ShopperKey } from '../domain/shopper.js';
import { AppError } from '../errors.js';
import type { TokenVerifier } from './token.js';

/** What a client shows of itself, in the first frame or with a request. */
export interface Credentials {
  /** An API key, which may speak for any shopper, or the token of one. */
  readonly token?: string | undefined;
  readonly userId?: string | undefined;
  readonly anonymousId?: string | undefined;
}

/** Whom a socket or a stream speaks for, and what it may. */
export interface Identity {
  readonly key: ShopperKey;
  readonly ids: ReturnType<typeof shopperIds>;
  readonly scopes: ReadonlySet<Scope>;
  /** Invited rooms that it may enter. */
  readonly rooms: ReadonlySet<string> | '*';
  /** When its token stops counting, ms since 1970; Infinity for a key. */
  readonly expiresAt: number;
}

/** @throws AppError `forbidden` */
export function requireScope({ scopes }: Identity, scope: Scope): void {
  if (!scopes.has(scope) && !scopes.has('admin')) throw new AppError('forbidden', `The key or token lacks the scope "${scope}".`);
}

/** Into a public room everybody may go, into another one who is invited. */
export const mayEnter = ({ rooms }: Identity, { id, access }: Pick<Room, 'id' | 'access'>): boolean => access === 'public' || rooms === '*' || rooms.has(id);

/** @throws AppError `unauthorized`, `token_expired`, `forbidden` or `invalid_request`; each of them ends the socket */
export type Authenticate = (credentials: Credentials) => Promise<Identity>;

export interface AuthenticationOptions {
  /** What a key may do, undefined for an unknown key; on an open engine everything, whatever is shown. */
  readonly scopesOf: (key: string | undefined) => ReadonlySet<Scope> | undefined;
  /** undefined: no tokens are taken. */
  readonly verify: TokenVerifier | undefined;
}

/** Who speaks is said by the token alone; only a key, whose holder is a server, names its shopper itself. */
export function authentication({ scopesOf, verify }: AuthenticationOptions): Authenticate {
  return async ({ token, ...ids }) => {
    const scopes = scopesOf(token);
    if (scopes !== undefined) {
      return { scopes, rooms: scopes.has('host') || scopes.has('admin') ? '*' : new Set(), expiresAt: Infinity, ...named(ids) };
    }
    if (token === undefined) throw new AppError('unauthorized', `token is missing: send an API key${verify === undefined ? '' : ' or a JWT'}.`);
    if (verify === undefined || !isTokenLike(token)) throw new AppError('unauthorized', `token is no valid API key${verify === undefined ? '' : ', and no JWT'}.`);
    const claims = await verify(token);
    const shopper = named(claims);
    const isNamed = ids.userId !== undefined || ids.anonymousId !== undefined;
    if (isNamed && named(ids).key !== shopper.key) throw new AppError('forbidden', 'The token is of another shopper than the one named beside it or that the socket speaks for.');
    return { scopes: claims.scopes, rooms: claims.rooms, expiresAt: claims.expiresAt, ...shopper };
  };
}

/** A JWS has three parts; a key that happens to have them is known before this is asked. */
const isTokenLike = (token: string): boolean => token.split('.', 4).length === 3;

/** @throws AppError `invalid_request` */
function named({ userId, anonymousId }: Omit<Credentials, 'token'>): Pick<Identity, 'key' | 'ids'> {
  const key = shopperKey({ userId, anonymousId });
  if (key === undefined) throw new AppError('invalid_request', 'userId or anonymousId is missing.');
  if (userId !== undefined && anonymousId !== undefined) throw new AppError('invalid_request', 'userId and anonymousId exclude each other.');
  if (!key.isWellFormed() || Buffer.byteLength(key.slice(2)) > EVENT_LIMITS.idBytesMax) {
    throw new AppError('invalid_request', `${userId === undefined ? 'anonymousId' : 'userId'} is not valid Unicode of at most ${EVENT_LIMITS.idBytesMax} bytes.`);
  }
  return { key, ids: shopperIds(key) };
}
