import { createHmac } from 'node:crypto';

const SECRET_PREFIX = 'whsec_';

export interface Signed {
  readonly id: string;
  /** When it is sent, s since 1970. */
  readonly timestampS: number;
  readonly body: string;
}

/**
 * Headers by which a receiver knows who sent it, that it is whole, when it was sent and whether it has come before:
 * Standard Webhooks (https://www.standardwebhooks.com), HMAC-SHA256 over `id.timestamp.body`.
 * @param secret `whsec_` and the key in base64
 */
export function signatureHeaders({ id, timestampS, body }: Signed, secret: string): Record<string, string> {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestampS}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': String(timestampS), 'webhook-signature': `v1,${signature}` };
}

/** @param bytes random ones */
export const secretOf = (bytes: Buffer): string => `${SECRET_PREFIX}${bytes.toString('base64')}`;
