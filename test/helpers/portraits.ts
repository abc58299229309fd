import type { PortraitDocument } from '../../src/profile/portrait-schema.js';

/** A loyal shopper with something in every field. */
export const ann: PortraitDocument = {
  lifecycle: 'loyal', activity: 'high', valueTier: 'high', recencyScore: 5n, frequencyScore: 4n, moneyScore: 4n, socialRole: 'sharer',
  events: 120n, sessions: 14n, recent: new Map([['view_item', 2.5], ['purchase', 0.5]]), daysKnown: 200, daysSinceEvent: 0.5,
  orders: 6n, units: 9n, spentMinor: 60_000n, refundedMinor: 0n, averageOrderMinor: 10_000n, daysSinceOrder: 12.5, daysBetweenOrders: 30,
  priceLevel: 3.2, promotionSensitivity: 0.4,
  categories: new Map([['shoes', 12], ['shoes/running', 4.5]]), brands: new Map([['acme', 3]]), tags: new Map([['red', 1]]), season: new Map([['shoes', 1]]),
  cartItems: 2n, cartMinor: 5000n, wishlistItems: 0n,
  consent: new Map([['marketing', true], ['sms', false]]), attributes: new Map<string, string | number | boolean>([['region', 'north'], ['children', 2]]), daysToBirthday: 3n,
  points: 150n, level: 2n, badges: ['reviewer'], riskScore: 0.1, segments: ['vip'],
};
