import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Scope } from '../config.js';
import { AppError } from '../errors.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a key must be allowed to do, or one of several; a route without it is open. */
    scope?: Scope | readonly Scope[];
  }
}

const digest = (key: string): string => createHash('sha256').update(key).digest('base64');

/** Looks keys up by their digest, so that the time a look-up takes tells nothing of a key. */
export function keyBook(keys: ReadonlyMap<string, ReadonlySet<Scope>>): (key: string | undefined) => ReadonlySet<Scope> | undefined {
  const scopes = new Map([...keys].map(([key, allowed]) => [digest(key), allowed]));
  return (key) => (key === undefined ? undefined : scopes.get(digest(key)));
}

/** An onRequest hook: `Authorization: Bearer <key>` or `X-Api-Key: <key>` with the route's scope. */
export function requireScope(keys: ReadonlyMap<string, ReadonlySet<Scope>>): (request: FastifyRequest) => Promise<void> {
  const scopesOf = keyBook(keys);
  return (request) => {
    const { scope } = request.routeOptions.config;
    if (scope === undefined) return Promise.resolve();
    const allowed = scopesOf(presentedKey(request));
    if (allowed === undefined) {
      return Promise.reject(new AppError('unauthorized', 'Send a valid API key as "Authorization: Bearer <key>" or "X-Api-Key: <key>".'));
    }
    const isAllowed = allowed.has('admin') || (typeof scope === 'string' ? allowed.has(scope) : scope.some((one) => allowed.has(one)));
    if (!isAllowed) return Promise.reject(new AppError('forbidden', `This key lacks the scope "${[scope].flat().join('" or "')}".`));
    return Promise.resolve();
  };
}

/** Counts the requests of each key or address. */
export interface RequestLimiter {
  /** @returns undefined when the request is taken and counted, else seconds after which it may be tried again */
  take(who: { readonly ip: string }): number | undefined;
}

/** An onRequest hook: as many requests as the limiter takes of a key, or of an address that sends none. */
export function limitRequests(limiter: RequestLimiter): (request: FastifyRequest) => Promise<void> {
  return (request) => {
    if (request.url.startsWith('/health/')) return Promise.resolve();
    const key = presentedKey(request);
    const waitS = limiter.take({ ip: key === undefined ? request.ip : digest(key) });
    if (waitS === undefined) return Promise.resolve();
    return Promise.reject(new AppError('rate_limited', `Too many requests of this key or address; try again in ${waitS} s.`, { retryAfterS: waitS }));
  };
}

function presentedKey({ headers }: FastifyRequest): string | undefined {
  const header = headers['x-api-key'];
  if (typeof header === 'string') return header;
  return headers.authorization?.startsWith('Bearer ') === true ? headers.authorization.slice(7) : undefined;
}
