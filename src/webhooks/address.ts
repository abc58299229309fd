import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { AppError } from '../errors.js';

/**
 * Whether webhooks may go to an address: one of the public internet. Everything private, local, reserved, or that leads
 * to such an address inside of another (mapped, translated, tunnelled) is refused.
 * @param allowsLoopback this machine itself, too: for tests and development
 */
export function isAllowedAddress(address: string, allowsLoopback: boolean): boolean {
  if (!ipaddr.isValid(address)) return false;
  const range = ipaddr.process(address).range();
  return range === 'unicast' || (allowsLoopback && range === 'loopback');
}

/**
 * @returns the address as a URL
 * @throws AppError `invalid_request` for one that webhooks never go to; names are looked up only when a connection is made
 */
export function checkUrl(text: string, allowsLoopback: boolean): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new AppError('invalid_request', 'url is not a URL; send one like https://example.com/rivulet.');
  }
  const isPlain = url.protocol === 'http:';
  if (url.protocol !== 'https:' && !(isPlain && allowsLoopback)) throw new AppError('invalid_request', 'url must begin with https://: what is sent is about people.');
  if (url.username !== '' || url.password !== '') throw new AppError('invalid_request', 'url must not contain a user or password; deliveries are signed.');
  const host = url.hostname.replace(/^\[|[\].]$/gu, '');
  const isLocalName = host === 'localhost' || host.endsWith('.localhost');
  if ((isIP(host) !== 0 && !isAllowedAddress(host, allowsLoopback)) || (isLocalName && !allowsLoopback)) {
    throw new AppError('invalid_request', `url leads to ${host}, which is not on the public internet; webhooks go nowhere else.`);
  }
  return url;
}

/**
 * The look-up of a connection: it fails when any address of the name is not allowed, so that what is checked is what is
 * connected to, whatever the name meant a moment ago.
 */
export function guardedLookup(allowsLoopback: boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      const addresses = found as LookupAddress[] | undefined ?? [];
      const refused = addresses.find(({ address }) => !isAllowedAddress(address, allowsLoopback));
      const [first] = addresses;
      if (error !== null) callback(error, '');
      else if (first === undefined || refused !== undefined) callback(new Error(`${hostname} leads to ${refused?.address ?? 'nowhere'}, where webhooks do not go`), '');
      else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}
