import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { AppError } from './errors.js';

/** Bytes of a secret: what HS256 asks for. */
const SECRET_BYTES_MIN = 32;
/** Kinds of keys by algorithm, as Node names them. */
const KEY_KINDS = { RS256: 'rsa', ES256: 'ec', EdDSA: 'ed25519' } as const;
const RSA_BITS_MIN = 2048;

/** @returns the key that tokens are verified with. @throws AppError `invalid_request` when it does not fit the algorithm */
export const tokenKey = (text: string, algorithm: 'HS256' | keyof typeof KEY_KINDS): KeyObject => (algorithm === 'HS256' ? secretKey(text) : publicKey(text, algorithm));

function secretKey(secret: string): KeyObject {
  const bytes = Buffer.from(secret);
  // Anybody has a public key; as a secret it would let anybody sign.
  if (secret.includes('-----BEGIN')) throw misfit('HS256', 'a secret, not a key in PEM');
  if (bytes.length < SECRET_BYTES_MIN) throw misfit('HS256', `a secret of ${SECRET_BYTES_MIN} bytes or more`);
  return createSecretKey(bytes);
}

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
