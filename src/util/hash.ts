/**
 * Hash of a string over its UTF-16 units: two 32-bit lanes, multiply–xor, with murmur3's finaliser
 * (A. Appleby, fmix32). Not cryptographic; stable across versions, because profiles store it.
 * The lanes stay in module variables so that no pair is allocated per call.
 */
let low = 0;
let high = 0;

function run(text: string): void {
  let a = 0x9e3779b1 | 0;
  let b = 0x85ebca77 | 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0xcc9e2d51);
    b = Math.imul(b ^ unit, 0x1b873593);
    a ^= a >>> 15;
    b ^= b >>> 13;
  }
  low = mix(a ^ Math.imul(b, 0x27d4eb2f) ^ text.length);
  high = mix(b ^ Math.imul(a, 0x165667b1));
}

function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** 32-bit hash, 0 … 2³²−1: names of categories, brands, tags. */
export function hash32(text: string): number {
  run(text);
  return low;
}

/** 48-bit hash as an exact number, 0 … 2⁴⁸−1: items and event ids. */
export function hash48(text: string): number {
  run(text);
  return (high & 0xffff) * 0x1_0000_0000 + low;
}
