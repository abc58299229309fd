import { Type } from '../util/type.js';

/** @param what of which a new key makes a new one */
export const idempotencyKey = (what: string) => Type.Object({
  'idempotency-key': Type.String({ pattern: '^[\\x21-\\x7e]{1,200}$', description: `chosen by the client, new for each ${what}: the same key gets the same ${what}` }),
});
