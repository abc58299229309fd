import { form } from '../domain/form.js';
import { Type } from '../util/type.js';

/** @param what of which a new key makes a new one */
export const idempotencyKey = (what: string) => Type.Object({
  'idempotency-key': form('^[\\x21-\\x7e]{1,200}$', `1 to 200 visible ASCII characters that the client chooses anew for each ${what}: the same key gets the same ${what}`),
});
