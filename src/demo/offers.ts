import type { Campaign, CampaignInput } from '../domain/campaign.js';
import type { Item } from '../domain/item.js';
import { toMinor } from '../domain/money.js';
import type { Offer, OfferInput } from '../domain/offer.js';
import type { Clock } from '../util/clock.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const DAY_S = 86_400;
const LIST_PAGE = 200;
/** Share of its time that a round has behind it when it opens: simulated shoppers have claimed a part, and pacing sets the one against the other. */
const BEGUN = 0.35;
/** Items worth a crowd: what a unit costs, and how many there must be. */
const CROWD_PULLERS = { priceMin: 30, priceMax: 90, stockMin: 20 } as const;
const FLASH = { stock: 25, off: 0.4 } as const;
const GROUP = { size: 2, off: 0.25 } as const;
/** The offer that answers a cart left behind, and the campaign that hands it out. */
const [CART_OFFER, CART_CAMPAIGN] = ['cart', 'cart_abandoned'];
const BY = 'demo store';

/** An offer of the demo store; it runs in rounds, `<name>-1`, `<name>-2` …, the next when the one before has ended. */
interface Round {
  readonly name: string;
  readonly lastsMs: number;
  /** Claims by simulated shoppers when it opens; every second one is redeemed. */
  readonly taken?: number;
  readonly offer: (items: readonly Item[], round: number) => Omit<OfferInput, 'id' | 'window'>;
}

/** The steps of a coupon ladder, for the host of the live room alone; the last is what anybody can be given. */
const LADDER = ([
  ['steps', 'Live: 20 % off shoes', { kind: 'percentage', basisPoints: 2000, capMinor: 2500 }, ['shoes']],
  ['table', 'Live: 20 % off your kitchen', { kind: 'percentage', basisPoints: 2000, capMinor: 2500 }, ['kitchen']],
  ['more', 'Live: spend 60, save 9', { kind: 'threshold', spendMinor: 6000, saveMinor: 900 }, undefined],
  ['hello', 'Live: 3 off anything', { kind: 'fixed', saveMinor: 300 }, undefined],
] as const).map(([step, title, terms, categories]): Round => ({
  name: `live${step}`, lastsMs: 7 * DAY_MS,
  offer: () => ({
    title, terms, ...(categories === undefined ? {} : { appliesTo: { categories: [...categories] } }),
    scenes: ['live'], stacking: { group: 'live' }, caps: { perUser: 50 },
    budget: { moneyMinor: 12_500_000, count: 5000 }, marginMinor: 6000, claimTtlS: 3600,
  }),
}));

const ROUNDS: readonly Round[] = [
  {
    name: 'welcome', lastsMs: 30 * DAY_MS, taken: 12,
    offer: () => ({
      title: 'Welcome: a tenth off your first order', terms: { kind: 'percentage', basisPoints: 1000, capMinor: 1500 },
      eligibility: { expression: 'orders == 0' }, budget: { moneyMinor: 1_500_000, count: 5000 }, marginMinor: 6000, claimTtlS: 7 * DAY_S,
    }),
  },
  {
    name: 'basket', lastsMs: 7 * DAY_MS, taken: 9,
    offer: () => ({
      title: 'Spend 80, save 12', terms: { kind: 'threshold', spendMinor: 8000, saveMinor: 1200 },
      budget: { moneyMinor: 600_000, count: 500 }, marginMinor: 6000,
    }),
  },
  {
    name: 'regulars', lastsMs: 7 * DAY_MS,
    offer: () => ({
      title: 'For our regulars: 15 % off', terms: { kind: 'percentage', basisPoints: 1500, capMinor: 3000 },
      eligibility: { segments: ['active', 'loyal', 'high_value'] }, budget: { moneyMinor: 900_000, count: 300 }, marginMinor: 7000,
    }),
  },
  {
    name: 'delivery', lastsMs: 7 * DAY_MS, taken: 6,
    offer: () => ({
      title: 'Delivery on us', terms: { kind: 'free_shipping', capMinor: 490, spendMinor: 2500 }, stacking: { group: 'delivery' },
      budget: { moneyMinor: 245_000, count: 500 }, marginMinor: 3000,
    }),
  },
  {
    name: 'flash', lastsMs: 6 * HOUR_MS, taken: 8,
    offer: (items, round) => ({
      ...itemAtPrice(items, round, FLASH.off, (item, priceMinor, costMinor) => ({
        title: `Flash sale: ${item.title}`, terms: { kind: 'flash_sale', itemId: item.id, priceMinor, stock: FLASH.stock, costMinor },
        budget: { moneyMinor: FLASH.stock * costMinor, count: FLASH.stock },
      })),
      stacking: { group: 'flash' }, marginMinor: 4500, claimTtlS: 3600,
    }),
  },
  {
    name: 'together', lastsMs: 2 * DAY_MS,
    offer: (items, round) => ({
      ...itemAtPrice(items, round + 1, GROUP.off, (item, priceMinor, costMinor) => ({
        title: `Together: ${item.title}`, terms: { kind: 'group_buy', itemId: item.id, priceMinor, size: GROUP.size, withinS: DAY_S, costMinor },
        budget: { moneyMinor: 100 * GROUP.size * costMinor, count: 100 * GROUP.size },
      })),
      stacking: { group: 'together' }, marginMinor: 2500,
    }),
  },
  {
    name: 'friends', lastsMs: 30 * DAY_MS,
    offer: () => ({
      title: 'Bring a friend: 5 for each of you', terms: { kind: 'share_reward', sharerMinor: 500, friendMinor: 500, refundableS: 60 },
      stacking: { group: 'friends' }, budget: { moneyMinor: 500_000, count: 1000 }, marginMinor: 4000, claimTtlS: 30 * DAY_S,
    }),
  },
  {
    // Only from the campaign: on a page it would reward whoever lets a cart stand.
    name: CART_OFFER, lastsMs: 30 * DAY_MS,
    offer: () => ({
      title: '10 % off your cart', terms: { kind: 'percentage', basisPoints: 1000, capMinor: 2000 }, channels: ['socket', 'inbox'],
      budget: { moneyMinor: 2_000_000, count: 5000 }, caps: { perUser: 3 }, marginMinor: 4000,
    }),
  },
  ...LADDER,
];

/** What the rounds are kept with: the engine's own desks and claims. */
export interface OfferKeeping {
  readonly items: () => readonly Item[];
  readonly offers: {
    list(cursor: string, limit: number): Promise<{ readonly offers: readonly Offer[]; readonly cursor?: string }>;
    create(input: OfferInput, by: string): Promise<Offer>;
    move(id: string, move: 'activate' | 'archive', by: string): Promise<Offer>;
  };
  readonly campaigns: { get(id: string): Promise<Campaign>; put(id: string, input: CampaignInput): Promise<Campaign> };
  readonly claims: {
    claim(offerId: string, key: string, input: { userId: string }): Promise<{ readonly kind: 'made' | 'replayed'; readonly claim: { readonly id: string; readonly reservedMinor: number } } | { readonly kind: 'pending' }>;
    settle(what: 'redeem', claimId: string, spentMinor: number): Promise<unknown>;
  };
  readonly clock: Clock;
}

/**
 * Sees to it that of each of the demo's offers a round is open. Idempotent: a round that runs is left as it is, whatever
 * an operator has made of it; one that was cut short when it was drafted is activated; one that has ended is archived,
 * and the next one opens.
 * @returns ids of the rounds that were opened
 */
export async function keepOffers(keeping: OfferKeeping): Promise<string[]> {
  const latest = await latestRounds(keeping);
  const opened: string[] = [];
  for (const round of ROUNDS) {
    const last = latest.get(round.name);
    const isOpen = last !== undefined && last.offer.window.endsAt > keeping.clock() && last.offer.status !== 'draft';
    const id = isOpen ? last.offer.id : await open(round, last, keeping);
    if (!isOpen) opened.push(id);
    if (round.name === CART_OFFER) await handOutByCampaign(id, keeping);
  }
  return opened;
}

interface Latest { readonly offer: Offer; readonly number: number }

async function latestRounds({ offers }: OfferKeeping): Promise<Map<string, Latest>> {
  const latest = new Map<string, Latest>();
  for (let cursor: string | undefined = ''; cursor !== undefined;) {
    const page: Awaited<ReturnType<OfferKeeping['offers']['list']>> = await offers.list(cursor, LIST_PAGE);
    for (const offer of page.offers) {
      const [, name = '', digits = ''] = /^([a-z]+)-([0-9]+)$/u.exec(offer.id) ?? [];
      const number = Number(digits);
      if (number > (latest.get(name)?.number ?? 0)) latest.set(name, { offer, number });
    }
    cursor = page.cursor;
  }
  return latest;
}

async function open({ name, lastsMs, taken = 0, offer }: Round, last: Latest | undefined, keeping: OfferKeeping): Promise<string> {
  const { offers, clock } = keeping;
  // Left by a process that ended in between; one that is over can only be archived.
  const isDraft = last?.offer.status === 'draft' && last.offer.window.endsAt > clock();
  if (last !== undefined && !isDraft) await offers.move(last.offer.id, 'archive', BY);
  const number = isDraft ? last!.number : (last?.number ?? 0) + 1;
  const id = `${name}-${number}`;
  const now = clock();
  if (!isDraft) await offers.create({ id, currency: 'EUR', window: { startsAt: Math.round(now - BEGUN * lastsMs), endsAt: Math.round(now + (1 - BEGUN) * lastsMs) }, ...offer(keeping.items(), number) }, BY);
  await offers.move(id, 'activate', BY);
  await Promise.all(Array.from({ length: taken }, (_, i) => takeUp(id, i, keeping)));
  return id;
}

/** What was left in a cart is answered by an offer with a budget. A campaign that an operator has made is left alone. */
async function handOutByCampaign(offerId: string, { campaigns }: OfferKeeping): Promise<void> {
  const { id, status: _status, isBuiltIn, ...campaign } = await campaigns.get(CART_CAMPAIGN);
  const [step] = campaign.steps;
  const handsOut = step?.offer !== undefined && 'id' in step.offer ? step.offer.id : '';
  if (step === undefined || handsOut === offerId || !(isBuiltIn || handsOut.startsWith(`${CART_OFFER}-`))) return;
  const message = { title: 'Still thinking about {item}? {offer}', plainTitle: 'Your cart is waiting: {offer}' };
  await campaigns.put(id, { ...campaign, steps: [{ ...step, message, offer: { id: offerId } }] });
}

/** A simulated shopper claims, and every second one redeems. Idempotent by its key. */
async function takeUp(offerId: string, index: number, { claims }: OfferKeeping): Promise<void> {
  const userId = `demo-taker-${index}`;
  const reply = await claims.claim(offerId, `${BY.replace(' ', '-')}-${index}`, { userId });
  if (reply.kind === 'made' && index % 2 === 0) await claims.settle('redeem', reply.claim.id, reply.claim.reservedMinor);
}

/** An item of the crowd's taste, another one each round, at a part of its price. */
function itemAtPrice<T>(items: readonly Item[], round: number, off: number, make: (item: Item, priceMinor: number, costMinor: number) => T): T {
  const { priceMin, priceMax, stockMin } = CROWD_PULLERS;
  const fit = items.filter(({ price = 0, stock = 0 }) => price >= priceMin && price <= priceMax && stock >= stockMin);
  const item = fit[(round * 17) % fit.length];
  if (item?.price === undefined) throw new Error('The demo store has no item that is fit for a sale.');
  const usual = toMinor(item.price, item.currency);
  const priceMinor = Math.round((usual * (1 - off)) / 100) * 100 - 1;
  return make(item, priceMinor, usual - priceMinor);
}
