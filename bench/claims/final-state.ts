import type { Offer } from '../../src/domain/offer.js';
import { reserveOf } from '../../src/domain/offer.js';
import { countMaxOf } from '../../src/redis/claim-limits.js';
import type { RedisClient } from '../../src/redis/client.js';
import type { Keys } from '../../src/redis/keys.js';
import type { FinalClaim, FinalOffer } from './history.js';

/** Fields of one step of a scan, about. */
const SCAN_COUNT = 2000;
const STATUSES: Readonly<Record<string, FinalClaim['status']>> = { h: 'held', c: 'claimed', r: 'redeemed', l: 'released', e: 'expired', f: 'refunded' };

/**
 * Reads an offer as the store has it, field by field as `claim-record.lua` names them and not through the engine's own
 * reader: what is proved of the store must not hang on the code that is to be proved. @throws when there is no such offer
 */
export async function readFinalOffer(redis: RedisClient, keys: Keys, id: string): Promise<FinalOffer> {
  const { state } = keys.offer(id);
  const [text, money, count] = await redis.hmget(state, 'offer', 'money', 'count');
  if (typeof text !== 'string') throw new Error(`There is no offer ${id} in the store.`);
  const offer = JSON.parse(text) as Offer;
  const claims = new Map<string, FinalClaim>();
  const claimOfKey = new Map<string, string>();
  let cursor = '0';
  do {
    const [next, fields] = await redis.hscan(state, cursor, 'COUNT', SCAN_COUNT);
    cursor = next;
    for (let i = 0; i < fields.length; i += 2) {
      const [field, value] = [fields[i]!, fields[i + 1]!];
      if (field.startsWith('k:')) claimOfKey.set(field.slice(2), `${id}.${value}`);
      if (field.startsWith('c:')) claims.set(field.slice(2), claimOf(`${id}.${field.slice(2)}`, value, offer));
    }
  } while (cursor !== '0');
  return {
    id, countMax: countMaxOf(offer), moneyMinorMax: offer.budget.moneyMinor, perUserMax: offer.caps?.perUser ?? 1, perDeviceMax: offer.caps?.perDevice ?? Infinity,
    reserveMinor: reserveOf(offer.terms), count: Number(count ?? NaN), moneyMinor: Number(money ?? NaN), claims: [...claims.values()], keys: claimOfKey,
  };
}

function claimOf(id: string, record: string, { refundReturnsBudget = true }: Offer): FinalClaim {
  const [letter = '', , , , reserved, spent, , , , , device = '', , shopper = ''] = record.split('\n');
  const status = STATUSES[letter];
  if (status === undefined) throw new Error(`Claim ${id} has status "${letter}", which none has.`);
  const keepsSpent = status === 'redeemed' || (status === 'refunded' && !refundReturnsBudget);
  const holdsMinor = status === 'held' || status === 'claimed' ? Number(reserved) : keepsSpent ? Number(spent) : 0;
  return { id, shopper, status, holdsMinor, ...(device === '' ? {} : { device }) };
}
