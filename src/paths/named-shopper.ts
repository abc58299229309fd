import { idFault, shopperKey, type ShopperKey } from '../domain/shopper.js';
import { AppError } from '../errors.js';

/**
 * @returns the key of whoever a request names, undefined for nobody
 * @throws AppError `invalid_request` for an id that no event could have
 */
export function namedShopper(ids: { userId?: string | undefined; anonymousId?: string | undefined }): ShopperKey | undefined {
  for (const field of ['userId', 'anonymousId'] as const) {
    const fault = idFault(ids[field] ?? '');
    if (fault !== undefined) throw new AppError('invalid_request', `${field} ${fault}`);
  }
  return shopperKey(ids);
}
