import { idFault, shopperKey, type ShopperKey } from '../domain/shopper.js';
import { AppError } from '../errors.js';
import { Type } from '../util/type.js';

/** Of routes below `/v1/users/:id`. */
export const ShopperParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 256 }) });

/** Users and anonymous visitors have ids of their own; `kind=anonymous` addresses the latter. */
export const Kind = Type.Optional(Type.Enum(['user', 'anonymous']));
export const KindQuery = Type.Object({ kind: Kind }, { additionalProperties: false });

/**
 * @returns the key of whoever an address names
 * @throws AppError `invalid_request` for an id that no event could have
 */
export function addressedKey(id: string, kind: string | undefined): ShopperKey {
  const fault = idFault(id);
  if (fault !== undefined) throw new AppError('invalid_request', `The id ${fault}`);
  return shopperKey(kind === 'anonymous' ? { anonymousId: id } : { userId: id })!;
}
