import { hash, randomFillSync } from 'node:crypto';

/** Letters and digits but i, l, o and u, which are read as others or form words (Crockford's base 32). */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
/** 25 letters of 5 bits: 125 random bits. */
const LETTERS = 25;
const POOL_CODES = 256;
/** Hexadecimal, 128 bits. */
const NUMBER_DIGITS = 32;

/** A source of unguessable codes: random bytes are drawn, and made letters, for many at a time. */
export function codeSource(fill: (pool: Buffer) => void = (pool) => { randomFillSync(pool); }): () => string {
  const pool = Buffer.alloc(LETTERS * POOL_CODES);
  let letters = '';
  let at = pool.length;
  return () => {
    if (at === pool.length) {
      fill(pool);
      for (let i = 0; i < pool.length; i++) pool[i] = ALPHABET.charCodeAt(pool[i]! & 31);
      letters = pool.toString('latin1');
      at = 0;
    }
    at += LETTERS;
    return letters.slice(at - LETTERS, at);
  };
}

/**
 * The random part of a claim's id, out of that of its code: whoever is shown a code finds the claim without an index, and
 * an id in a log or an address tells nothing of the code.
 */
export const claimNumberOf = (code: string): string => hash('sha256', code, 'hex').slice(0, NUMBER_DIGITS);

/** Ids and codes begin with the offer, whose slot holds the claim. */
export const claimIdOf = (offerId: string, number: string): string => `${offerId}.${number}`;
export const codeOf = (offerId: string, code: string): string => `${offerId}-${code}`;

/** @returns offer and random part of a claim id; undefined when it is none */
export function partsOfClaimId(id: string): { offerId: string; number: string } | undefined {
  const parts = /^([A-Za-z0-9_-]{1,64})\.([0-9a-f]{32})$/u.exec(id);
  return parts === null ? undefined : { offerId: parts[1]!, number: parts[2]! };
}

/** @returns the id of the claim that has this code, if any has; undefined when it is no code. Case does not count. */
export function claimIdOfCode(code: string): string | undefined {
  const parts = /^([A-Za-z0-9_-]{1,64})-([a-z0-9]{25})$/iu.exec(code);
  return parts === null ? undefined : claimIdOf(parts[1]!, claimNumberOf(parts[2]!.toLowerCase()));
}
