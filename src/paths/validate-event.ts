import { EVENT_LIMITS, EVENT_TYPE_INDEX, EventInputSchema, type EventInput, type ShopperEvent } from '../domain/event.js';
import { isoTime } from '../domain/iso-time.js';
import { toMinor } from '../domain/money.js';
import { idFault, shopperKey } from '../domain/shopper.js';
import { makeChecker } from '../util/schema-fault.js';

const schema = makeChecker(EventInputSchema, 'event');
const ID_FIELDS = ['id', 'userId', 'anonymousId', 'itemId', 'roomId'] as const;

/** Why an event was not taken; `message` names the field. */
export interface Rejection {
  readonly code: 'invalid_event';
  readonly message: string;
}

/**
 * Checks one event and brings it to its inner form.
 * Times: none or up to 5 minutes ahead of us → the time of receipt; further ahead or before 2000 → rejected; anything
 * older than now is late and counts with what is left of it.
 * Amounts: one without a currency is in the store's. In another than the store's it is left out, as it could not be added
 * to anything: the event counts as one without a value.
 * @param storeCurrency undefined: any currency is taken, and none has two decimals
 */
export function validateEvent(input: unknown, receivedAt: number, storeCurrency?: string): ShopperEvent | Rejection {
  if (!schema.check(input)) return reject(describe(input));
  const event = input as EventInput;
  for (const field of ID_FIELDS) {
    const value = event[field];
    if (value === undefined) continue;
    const fault = idFault(value);
    if (fault !== undefined) return reject(`${field} ${fault}`);
  }
  const shopper = shopperKey(event);
  if (shopper === undefined) return reject('userId or anonymousId is missing.');
  const at = timeOf(event.timestamp, receivedAt);
  if (typeof at === 'string') return reject(at);
  return inner(event, shopper, at, storeCurrency);
}

function inner(event: EventInput, shopper: string, at: number, storeCurrency: string | undefined): ShopperEvent {
  const { value, currency = value === undefined ? undefined : storeCurrency } = event;
  const isOther = storeCurrency !== undefined && currency !== storeCurrency;
  return {
    id: event.id, type: event.type, shopper, at,
    ...(event.itemId === undefined ? {} : { itemId: event.itemId }),
    ...(value === undefined || isOther ? {} : { valueMinor: toMinor(value, currency) }),
    ...(currency === undefined ? {} : { currency }),
    ...(event.quantity === undefined ? {} : { quantity: event.quantity }),
    ...(event.query === undefined ? {} : { query: event.query }),
    ...(event.roomId === undefined ? {} : { roomId: event.roomId }),
    ...(event.context === undefined ? {} : { context: event.context }),
  };
}

/** @returns the event's time in ms, or what is wrong with it */
function timeOf(timestamp: string | number | undefined, receivedAt: number): number | string {
  if (timestamp === undefined) return receivedAt;
  const at = typeof timestamp === 'number' ? Math.floor(timestamp) : isoTime(timestamp);
  if (!Number.isFinite(at)) return 'timestamp is neither ISO 8601 nor milliseconds since 1970.';
  if (at < EVENT_LIMITS.earliestMs) return 'timestamp is before 2000-01-01; send ISO 8601 or milliseconds (not seconds) since 1970.';
  if (at > receivedAt + EVENT_LIMITS.futureToleranceMs) return `timestamp is more than ${EVENT_LIMITS.futureToleranceMs / 60_000} minutes in the future.`;
  return Math.min(at, receivedAt);
}

const reject = (message: string): Rejection => ({ code: 'invalid_event', message });

/** Says in words what does not fit. */
function describe(input: unknown): string {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return 'The event is not an object.';
  if ('type' in input && typeof input.type === 'string' && !EVENT_TYPE_INDEX.has(input.type)) {
    return `type "${input.type.slice(0, 64)}" is not a known event type.`;
  }
  return schema.fault(input);
}
