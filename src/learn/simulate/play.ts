import type { ShopperEvent } from '../../domain/event.js';
import { NO_CAPS, type Contact, type ContactCaps } from '../../offers/contact-policy.js';
import { probability } from '../../offers/decide/choose.js';
import { pageContact, refusalOf, shutGate, type Asked, type Policy as Rules } from '../../offers/decide/eligibility.js';
import { memoryOf, OFFER_FEATURES, viewCart, writeOfferRows, type OfferSituation } from '../../offers/decide/offer-features.js';
import { plannedShare, spentShare } from '../../offers/decide/pacing.js';
import { expectedCost, type PreparedOffer } from '../../offers/decide/prepared-offer.js';
import type { LiveCase } from '../../offers/decide/weigh.js';
import { fold } from '../../profile/fold.js';
import { emptyProfile, type Profile } from '../../profile/profile.js';
import { USER_FEATURES, writeUserFeatures } from '../../profile/vector.js';
import { hash32 } from '../../util/hash.js';
import { seededRandom } from '../../util/random.js';
import { liftOf, logitOfNone, takesUp, wavesAway, type Standing } from './law.js';
import { MARGIN_MINOR } from './offers.js';
import type { SimulatedStore, VisitPlan } from './store.js';

const DAY_MS = 86_400_000;
const UINT32 = 2 ** 32;
/** Share of visits of the history on which a banner is seen: what a store knows of a shopper's taste for promotions. */
const BANNERS = 0.8;
/** Caps that a store may well have; offers here are shown on pages. */
const CAPS: ContactCaps = { ...NO_CAPS, perDayMax: 1 };
const RULES: Rules = { caps: CAPS, quiet: { from: 0, until: 0, timezone: 'UTC' }, consentRequired: false, holdout: 0, riskMax: 1 };

/** A visit with the offers that the shopper may have: what a policy is asked. */
export interface Encounter {
  readonly eligible: readonly LiveCase[];
  readonly situation: OfferSituation;
  /** Features as a decision writes them: row 0 for no offer, then the eligible ones. Good until the policy has answered. */
  readonly user: Float32Array;
  readonly rows: Float32Array;
  /** Hidden, for the oracle: the true logit of a row. */
  readonly truth: (row: number) => number;
  /** Of draws. */
  readonly seed: number;
}

/** Which of the eligible offers, −1 for none. */
export interface OfferPolicy {
  readonly name: string;
  choose(encounter: Encounter): number | Promise<number>;
  /** Told what came of it, and how far the window is (0 to 1). */
  learn?(encounter: Encounter, chosen: number, converted: boolean, part: number): void | Promise<void>;
}

/** What came of a policy in one store. Amounts are minor units. */
export interface Outcome {
  readonly visits: number;
  readonly shown: number;
  readonly conversions: number;
  readonly claims: number;
  /** Margins of the conversions less the costs of the offers used. */
  readonly profitMinor: number;
  readonly spentMinor: number;
  readonly budgetMinor: number;
  /** At the end of each day: share of all budgets that is spent; the greatest lead and lag of a single offer beside its plan. */
  readonly days: readonly { readonly spent: number; readonly ahead: number; readonly behind: number }[];
  /** Of each offer at the end. */
  readonly offers: Readonly<Record<string, { readonly claims: number; readonly spentShare: number }>>;
}

interface Person { profile: Profile; contacts: Contact[]; readonly claims: Map<string, number>; made: number }
export type People = readonly Person[];
interface Usage { count: number; moneyMinor: number }

/** Plays the visits before the offers: banners, and purchases as the law has them. @returns the people as the window begins */
export function playHistory(store: SimulatedStore): People {
  const people = store.shoppers.map((): Person => ({ profile: emptyProfile(), contacts: [], claims: new Map(), made: 0 }));
  store.visits.forEach((visit, number) => {
    if (visit.at >= store.window.startsAt) return;
    const person = people[visit.shopper]!;
    const standing = standingOf(store, person.profile, visit);
    const converts = draw(store, number, 'buys') < probability(logitOfNone(store.law.dispositions[visit.shopper]!, standing));
    if (draw(store, number, 'banner') < BANNERS) react(store, visit, number, person, undefined);
    finish(store, visit, person, converts ? standing : undefined);
  });
  return people;
}

/** Plays the window under a policy. The people are copied; the same store and policy give the same outcome. */
export async function playWindow(store: SimulatedStore, history: People, policy: OfferPolicy): Promise<Outcome> {
  const window = new Window(store, structuredClone(history) as Person[], policy);
  for (const [number, visit] of store.visits.entries()) if (visit.at >= store.window.startsAt) await window.visit(visit, number);
  return window.outcome();
}

class Window {
  readonly #usage: readonly Usage[];
  readonly #cases: readonly LiveCase[];
  readonly #user = new Float32Array(USER_FEATURES.length);
  readonly #rows: Float32Array;
  readonly #days: Outcome['days'][number][] = [];
  readonly #sums = { visits: 0, shown: 0, conversions: 0, claims: 0, profitMinor: 0, spentMinor: 0 };

  constructor(private readonly store: SimulatedStore, private readonly people: readonly Person[], private readonly policy: OfferPolicy) {
    this.#usage = store.offers.map(() => ({ count: 0, moneyMinor: 0 }));
    this.#cases = store.offers.map((prepared, i) => ({ prepared, usage: this.#usage[i]! }));
    this.#rows = new Float32Array((store.offers.length + 1) * OFFER_FEATURES.length);
  }

  async visit(visit: VisitPlan, number: number): Promise<void> {
    const { store, policy } = this;
    this.#endDays(visit.at);
    const person = this.people[visit.shopper]!;
    const standing = standingOf(store, person.profile, visit);
    const encounter = this.#encounter(visit, number, person, standing);
    const chosen = encounter.eligible.length === 0 ? -1 : await policy.choose(encounter);
    const one = encounter.eligible[chosen];
    const u = draw(store, number, 'buys');
    // Whoever cannot have it any more when they want to claim it buys as without it.
    const isClaimable = one !== undefined && one.usage.moneyMinor + one.prepared.reserveMinor <= one.prepared.offer.budget.moneyMinor;
    const converts = u < probability(encounter.truth(isClaimable ? chosen + 1 : 0));
    this.#sums.visits += 1;
    if (one !== undefined) this.#show(visit, number, person, one.prepared);
    if (converts) this.#count(person, one !== undefined && isClaimable ? one : undefined, standing);
    if (policy.learn !== undefined && encounter.eligible.length > 0) await policy.learn(encounter, chosen, converts, plannedShare({ window: store.window }, visit.at));
    finish(store, visit, person, converts ? standing : undefined);
  }

  outcome(): Outcome {
    this.#endDays(this.store.window.endsAt);
    return {
      ...this.#sums, budgetMinor: this.#budget(), days: this.#days,
      offers: Object.fromEntries(this.#cases.map(({ prepared: { offer }, usage }) => [offer.id, { claims: usage.count, spentShare: spentShare(offer, usage) }])),
    };
  }

  #encounter(visit: VisitPlan, number: number, person: Person, standing: Standing): Encounter {
    const { store } = this;
    const { profile, contacts, claims } = person;
    const facts = { shopper: store.shoppers[visit.shopper]!.key, profile, document: undefined, claims, contacts };
    const asked: Asked = { scene: 'home', channel: 'page', offerIds: undefined, now: visit.at };
    const eligible = shutGate({ facts, asked, policy: RULES }) === undefined
      ? this.#cases.filter((one) => refusalOf(one, { facts, asked, policy: RULES }) === undefined) : [];
    const situation: OfferSituation = { profile, cart: viewCart(undefined, profile, store.catalog), pageRow: -1, channel: 'page', now: visit.at, catalog: store.catalog };
    writeUserFeatures(this.#user, profile, 'home', visit.at);
    writeOfferRows(this.#rows, eligible.map(({ prepared }) => prepared), situation);
    const disposition = store.law.dispositions[visit.shopper]!;
    const none = logitOfNone(disposition, standing);
    const truth = (row: number): number => {
      const prepared = eligible[row - 1]?.prepared;
      return prepared === undefined ? none
        : none + liftOf(store.law, disposition, prepared, store.reach.of(prepared, visit.shopper), standing, memoryOf(profile, prepared.key) !== undefined);
    };
    return { eligible, situation, user: this.#user, rows: this.#rows, truth, seed: hash32(`draw:${store.seed}:${number}`) };
  }

  #show(visit: VisitPlan, number: number, person: Person, { offer: { id } }: PreparedOffer): void {
    this.#sums.shown += 1;
    person.contacts = [...person.contacts.filter(({ at }) => at > visit.at - 7 * DAY_MS), { id: pageContact(id), at: visit.at }];
    react(this.store, visit, number, person, id);
  }

  #count(person: Person, used: LiveCase | undefined, { orderMinor }: Standing): void {
    const costMinor = used === undefined ? 0 : expectedCost(used.prepared.offer.terms, Math.max(orderMinor, used.prepared.spendMinor));
    this.#sums.conversions += 1;
    this.#sums.profitMinor += MARGIN_MINOR - costMinor;
    if (used === undefined) return;
    const { id } = used.prepared.offer;
    const usage = this.#usage[this.#cases.indexOf(used)]!;
    usage.count += 1;
    usage.moneyMinor += costMinor;
    person.claims.set(id, (person.claims.get(id) ?? 0) + 1);
    this.#sums.claims += 1;
    this.#sums.spentMinor += costMinor;
  }

  /** Notes how the budgets stand at the end of each day before `now`. */
  #endDays(now: number): void {
    const { startsAt } = this.store.window;
    while (startsAt + (this.#days.length + 1) * DAY_MS <= now) {
      const at = startsAt + (this.#days.length + 1) * DAY_MS;
      const leads = this.#cases.map(({ prepared: { offer }, usage }) => spentShare(offer, usage) - plannedShare(offer, at));
      this.#days.push({ spent: this.#sums.spentMinor / this.#budget(), ahead: Math.max(0, ...leads), behind: Math.max(0, ...leads.map((lead) => -lead)) });
    }
  }

  #budget(): number {
    return this.#cases.reduce((sum, { prepared: { offer: { budget } } }) => sum + budget.moneyMinor, 0);
  }
}

/** The chance draw of a visit, the same whatever policy is played. */
const draw = (store: SimulatedStore, number: number, what: string): number => hash32(`${what}:${store.seed}:${number}`) / UINT32;

function standingOf({ law, catalog }: SimulatedStore, profile: Profile, { shopper, at }: VisitPlan): Standing {
  const { valueMinor, lines } = viewCart(undefined, profile, catalog);
  return {
    cartLines: lines.length, orderMinor: valueMinor > 0 ? valueMinor : law.dispositions[shopper]!.orderMinor,
    daysSinceOrder: profile.orders === 0 ? Infinity : (at - profile.lastOrderAt) / DAY_MS,
  };
}

/** A promotion is seen, and perhaps taken up or waved away. @param offerId undefined: a banner of old */
function react(store: SimulatedStore, visit: VisitPlan, number: number, person: Person, offerId: string | undefined): void {
  const disposition = store.law.dispositions[visit.shopper]!;
  const context = offerId === undefined ? {} : { context: { offerId } };
  const emit = (type: ShopperEvent['type']): void => { add(store, visit, person, { type, at: visit.at, ...context }); };
  const u = draw(store, number, 'reacts');
  emit('view_promotion');
  if (u < takesUp(disposition)) emit('select_promotion');
  else if (u > 1 - wavesAway(disposition)) emit('dismiss');
}

/** The visit goes on as it would have; then, if they buy, what is in the cart or else what they usually do. */
function finish(store: SimulatedStore, visit: VisitPlan, person: Person, bought: Standing | undefined): void {
  const { catalog } = store;
  for (const event of visit.events) fold(person.profile, event, event.itemId === undefined ? undefined : catalog.facts(event.itemId));
  if (bought === undefined) return;
  const at = Math.max(visit.at, person.profile.updatedAt) + 1000;
  const lines = person.profile.cart.filter(({ quantity }) => quantity > 0);
  for (const { item, quantity, priceMinor } of lines) {
    const row = catalog.rowOfKey(item);
    if (row >= 0) add(store, visit, person, { type: 'purchase', at, itemId: catalog.item(row)!.id, quantity, valueMinor: quantity * priceMinor });
  }
  if (lines.length === 0) add(store, visit, person, { type: 'purchase', at, valueMinor: bought.orderMinor, quantity: 1 });
}

function add({ catalog, shoppers }: SimulatedStore, { shopper }: VisitPlan, person: Person, event: Omit<ShopperEvent, 'id' | 'shopper'>): void {
  const id = `sim-${person.made++}`;
  fold(person.profile, { id, shopper: shoppers[shopper]!.key, ...event }, event.itemId === undefined ? undefined : catalog.facts(event.itemId));
}

/** For whoever plays at chance. */
export const chanceOf = (encounter: Encounter): (() => number) => seededRandom(encounter.seed);
