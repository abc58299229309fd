import { isIPv4 } from 'node:net';

export interface OriginRule {
  /** Origins of storefronts, exactly as browsers send them. */
  readonly allowed: readonly string[];
  /** No API keys are configured: whoever reaches the engine may speak for any shopper. */
  readonly isOpen: boolean;
}

/**
 * Keeps other sites' pages from opening sockets here (cross-site WebSocket hijacking): browsers do not hold them back,
 * but always send an Origin; of a stream they leave it out where a page asks its own host. A client without one is
 * else no browser page and is told apart by its key. The page's own origin is allowed; on an open engine only by a
 * loopback name, because a foreign name that was rebound to this machine (DNS rebinding) is the page's own, too.
 */
export function isOriginAllowed(rule: OriginRule, origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return !rule.isOpen || (host !== undefined && isLoopbackName(host.toLowerCase().replace(/:\d+$/u, '')));
  if (rule.allowed.includes(origin)) return true;
  if (host === undefined || !URL.canParse(origin)) return false;
  const { protocol, host: originHost, hostname } = new URL(origin);
  if (protocol !== 'http:' && protocol !== 'https:') return false;
  if (originHost !== host.toLowerCase()) return false;
  return !rule.isOpen || isLoopbackName(hostname);
}

/** Not every name that begins with `127.` is an address. */
const isLoopbackName = (name: string): boolean => name === 'localhost' || name === '[::1]' || (isIPv4(name) && name.startsWith('127.'));
