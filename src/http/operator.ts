import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { form } from '../domain/form.js';
import { Type, type Static } from '../util/type.js';

/** `If-Match` of a change: versions are whole numbers, in quotes or not. */
export const VersionMatch = Type.Object({ 'if-match': Type.Optional(form('^"?[0-9]{1,12}"?$', 'the version that was read, a whole number')) });

/** @returns the version that an operator has seen, if they say so */
export function versionOf(headers: Static<typeof VersionMatch>): number | undefined {
  const match = headers['if-match']?.replaceAll('"', '');
  return match === undefined ? undefined : Number(match);
}

/** Who it was: the name in `X-Operator` where one is given, and which key, by its digest. */
export function operatorOf({ headers }: Pick<FastifyRequest, 'headers'>): string {
  const key = headers['x-api-key'] ?? headers.authorization;
  const name = headers['x-operator'];
  const digest = typeof key === 'string' ? `key ${createHash('sha256').update(key.replace(/^Bearer /u, '')).digest('hex').slice(0, 12)}` : 'no key';
  return typeof name === 'string' ? `${name.slice(0, 64)} (${digest})` : digest;
}
