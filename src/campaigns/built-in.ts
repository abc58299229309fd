import type { Campaign, CampaignInput } from '../domain/campaign.js';

const [HOUR_S, DAY_S] = [3600, 86_400];

export interface BuiltInSettings {
  /** Pause after the last change of a cart, ms. */
  readonly cartAbandonedAfterMs: number;
  /** Least time between two messages of a campaign about carts and prices, ms. */
  readonly offerCooldownMs: number;
}

/**
 * The campaigns that come with the engine. Those that answer what a shopper has just left or waits for are active; the
 * others say something in the store's name, and wait until an operator activates them. An operator's campaign of the
 * same id takes the place of the one here.
 */
export function builtInCampaigns({ cartAbandonedAfterMs, offerCooldownMs }: BuiltInSettings): readonly Campaign[] {
  const [cartS, cooldownS] = [cartAbandonedAfterMs / 1000, offerCooldownMs / 1000];
  const active: Readonly<Record<string, CampaignInput>> = {
    cart_abandoned: {
      title: 'A cart was left behind',
      trigger: { on: 'event', types: ['add_to_cart', 'remove_from_cart'], restart: true },
      audience: 'cartItems > 0', goal: ['purchase', 'begin_checkout'], cooldownS,
      steps: [{ afterS: cartS, message: { title: 'Still thinking about {item}? 10 % off your cart today', plainTitle: 'Your cart is waiting: 10 % off today', percentOff: 10 } }],
    },
    checkout_abandoned: {
      title: 'A checkout was left behind',
      trigger: { on: 'event', types: ['begin_checkout'], restart: true },
      audience: 'cartItems > 0', goal: ['purchase'], cooldownS,
      steps: [{ afterS: cartS, message: { title: 'Your order is nearly done: 10 % off if you finish it today', percentOff: 10 } }],
    },
    price_drop: {
      title: 'Something in cart or wishlist became cheaper',
      trigger: { on: 'catalog', change: 'price_drop' }, cooldownS,
      steps: [{ afterS: 0, message: { title: '{item} now costs {now} instead of {was}', validS: 3 * DAY_S } }],
    },
    back_in_stock: {
      title: 'Something in cart or wishlist can be had again',
      trigger: { on: 'catalog', change: 'back_in_stock' }, cooldownS,
      steps: [{ afterS: 0, message: { title: '{item} is back', validS: 3 * DAY_S } }],
    },
  };
  return [...Object.entries(active).map(toCampaign('active')), ...Object.entries(PAUSED).map(toCampaign('paused'))];
}

const PAUSED: Readonly<Record<string, CampaignInput>> = {
  welcome: {
    title: 'Welcome to a new shopper',
    trigger: { on: 'first_seen' },
    steps: [{ afterS: 0, message: { title: 'Welcome: 10 % off your first order', percentOff: 10, validS: 7 * DAY_S } }],
  },
  first_purchase: {
    title: 'A nudge to a first purchase',
    trigger: { on: 'first_seen' }, audience: 'orders == 0', goal: ['purchase'],
    steps: [
      { afterS: 2 * DAY_S, message: { title: 'Found something? 10 % off your first order', percentOff: 10, validS: 3 * DAY_S } },
      { afterS: 5 * DAY_S, message: { title: 'A last word: 15 % off your first order', percentOff: 15, validS: 3 * DAY_S } },
    ],
  },
  win_back_dormant: {
    title: 'Win back who has gone quiet',
    trigger: { on: 'segment', segments: ['dormant'] }, audience: 'lifecycle == "dormant"', goal: ['purchase'], cooldownS: 90 * DAY_S,
    steps: [{ afterS: 0, message: { title: 'We have not seen you for a while: 10 % off', percentOff: 10, validS: 7 * DAY_S } }],
  },
  win_back_churned: {
    title: 'Win back who has left',
    trigger: { on: 'segment', segments: ['churned'] }, audience: 'lifecycle == "churned"', goal: ['purchase'], cooldownS: 180 * DAY_S,
    steps: [
      { afterS: 0, message: { title: 'Come back: 15 % off your next order', percentOff: 15, validS: 14 * DAY_S } },
      { afterS: 14 * DAY_S, message: { title: 'Still yours: 20 % off your next order', percentOff: 20, validS: 14 * DAY_S } },
    ],
  },
  birthday: {
    title: 'Birthday', trigger: { on: 'birthday' }, cooldownS: 300 * DAY_S,
    steps: [{ afterS: 0, message: { title: 'Happy birthday! 15 % off today', percentOff: 15 } }],
  },
  singles_day: {
    title: 'A day of the calendar', trigger: { on: 'date', dates: ['11-11'], segments: ['active', 'loyal', 'new'] },
    steps: [{ afterS: 0, message: { title: 'Only today: 11 % off', percentOff: 11 } }],
  },
  post_purchase: {
    title: 'Thanks after a purchase', trigger: { on: 'event', types: ['purchase'] }, cooldownS: DAY_S,
    steps: [{ afterS: HOUR_S, message: { title: 'Thank you for your order', validS: 3 * DAY_S } }],
  },
  review_request: {
    title: 'A review, please', trigger: { on: 'event', types: ['purchase'] }, goal: ['review', 'refund'], cooldownS: 14 * DAY_S,
    steps: [{ afterS: 10 * DAY_S, message: { title: 'How do you like {item}?', plainTitle: 'How do you like what you bought?', validS: 14 * DAY_S } }],
  },
  level_up: {
    title: 'A level was reached', trigger: { on: 'level_up' },
    steps: [{ afterS: 0, message: { title: 'You are on level {level} now', plainTitle: 'You have reached a new level', validS: 7 * DAY_S } }],
  },
};

const toCampaign = (status: Campaign['status']) => ([id, input]: readonly [string, CampaignInput]): Campaign => ({ ...input, id, status, isBuiltIn: true });
