import type { Answer, FinalClaim, FinalOffer, HistoryEntry, Invocation } from './history.js';

/** The promises of a claim, each of which a history can break. */
export const RULES = [
  'over_issued', 'over_money', 'over_cap', 'key_has_two_claims', 'claim_has_two_keys', 'replay_refused', 'acknowledged_lost', 'wrong_shopper',
  'effect_lost', 'effect_uninvited', 'phantom_claim', 'counters_differ', 'unanswerable',
] as const;
export type Rule = (typeof RULES)[number];

export interface Violation {
  readonly rule: Rule;
  readonly offer: string;
  readonly what: string;
}

/** An invocation with its answer; without one the client died: nothing is certain. */
interface Op {
  readonly invoked: Invocation;
  readonly answer: Answer | undefined;
}
type Claimed = Op & { readonly answer: Answer & { readonly claim: string } };

const STANDING: ReadonlySet<FinalClaim['status']> = new Set(['held', 'claimed', 'redeemed']);

/**
 * Proves, as far as clients and the store at rest can tell, that no claim was issued over a budget or cap, twice for one key, or lost after it
 * was acknowledged. Sound: it reports only what no correct store could have answered. At any instant those claims surely stand
 * that were acknowledged before it and that nobody had begun to give back.
 */
export function checkHistory(entries: readonly HistoryEntry[], offers: readonly FinalOffer[]): Violation[] {
  const { ops, stray } = pair(entries);
  const known = new Set(offers.map(({ id }) => id));
  const violations: Violation[] = [
    ...stray.map((answer): Violation => ({ rule: 'unanswerable', offer: '', what: `answer to op ${answer.op}, which nobody began or which was answered before` })),
    ...ops.filter(({ invoked }) => !known.has(invoked.offer)).map(({ invoked }): Violation => ({ rule: 'unanswerable', offer: invoked.offer, what: 'the offer is not in the final state' })),
  ];
  const byOffer = groupBy(ops, ({ invoked }) => invoked.offer);
  for (const offer of offers) violations.push(...checkOffer(offer, byOffer.get(offer.id) ?? []));
  return violations;
}

function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}

function pair(entries: readonly HistoryEntry[]): { ops: Op[]; stray: Answer[] } {
  const answers = new Map<number, Answer>();
  const stray: Answer[] = [];
  const begun = new Set(entries.filter((entry) => entry.type === 'invoke').map(({ op }) => op));
  for (const entry of entries) {
    if (entry.type === 'invoke') continue;
    if (answers.has(entry.op) || !begun.has(entry.op)) stray.push(entry);
    else answers.set(entry.op, entry);
  }
  const ops = entries.filter((entry): entry is Invocation => entry.type === 'invoke').map((invoked) => ({ invoked, answer: answers.get(invoked.op) }));
  return { ops, stray };
}

function checkOffer(offer: FinalOffer, ops: readonly Op[]): Violation[] {
  const violations: Violation[] = [];
  const report = (rule: Rule, what: string): void => { violations.push({ rule, offer: offer.id, what }); };
  const made = ops.filter((op): op is Claimed => op.invoked.act === 'claim' && op.answer?.type === 'ok' && op.answer.claim !== undefined);
  checkKeys(made, ops, report);
  checkRest(offer, made, ops, report);
  checkBudget(offer, made, ops, report);
  return violations;
}

type Report = (rule: Rule, what: string) => void;

/** One key, one claim: for all who ask with it, and for ever. */
function checkKeys(made: readonly Claimed[], ops: readonly Op[], report: Report): void {
  const claimOf = new Map<string, { claim: string; shopper: string | undefined; since: number }>();
  const keyOf = new Map<string, string>();
  for (const { invoked: { key = '', shopper }, answer } of made) {
    const known = claimOf.get(key);
    if (known === undefined) claimOf.set(key, { claim: answer.claim, shopper, since: answer.at });
    else if (known.claim !== answer.claim) report('key_has_two_claims', `${key}: ${known.claim} and ${answer.claim}`);
    else known.since = Math.min(known.since, answer.at);
    const other = keyOf.get(answer.claim);
    if (other !== undefined && other !== key) report('claim_has_two_keys', `${answer.claim}: ${other} and ${key}`);
    keyOf.set(answer.claim, key);
  }
  for (const { invoked, answer } of ops) {
    const known = invoked.act === 'claim' ? claimOf.get(invoked.key ?? '') : undefined;
    // Somebody else who comes with the same key is to be refused.
    if (known !== undefined && known.shopper === invoked.shopper && answer?.type === 'fail' && invoked.at > known.since) report('replay_refused', `${invoked.key}: ${answer.reason ?? 'refused'}, after ${known.claim}`);
  }
}

/** The store at rest has what was acknowledged, and nothing that nobody asked for. */
function checkRest(offer: FinalOffer, made: readonly Claimed[], ops: readonly Op[], report: Report): void {
  const final = new Map(offer.claims.map((claim) => [claim.id, claim]));
  for (const { invoked, answer } of made) {
    const claim = final.get(answer.claim);
    if (claim === undefined) report('acknowledged_lost', `${answer.claim} for ${invoked.key}`);
    else if (claim.shopper !== invoked.shopper) report('wrong_shopper', `${claim.id} is of ${claim.shopper}, claimed by ${invoked.shopper}`);
    if (invoked.key !== undefined && offer.keys.get(invoked.key) !== answer.claim) report('acknowledged_lost', `key ${invoked.key} leads to ${offer.keys.get(invoked.key) ?? 'nothing'}, not ${answer.claim}`);
  }
  const asked = new Set(ops.map(({ invoked }) => invoked.key));
  for (const [key, claim] of offer.keys) if (!asked.has(key)) report('phantom_claim', `${claim} for ${key}, with which nobody asked`);
  const keyed = new Set(offer.keys.values());
  for (const { id } of offer.claims) if (!keyed.has(id)) report('phantom_claim', `${id} has no key`);
  const later = groupBy(ops.filter(({ invoked }) => invoked.act !== 'claim'), ({ invoked }) => invoked.claim ?? '');
  for (const claim of offer.claims) checkEffects(claim, later.get(claim.id) ?? [], report);
  const standing = offer.claims.filter(({ status }) => STANDING.has(status));
  const money = offer.claims.reduce((sum, { holdsMinor }) => sum + holdsMinor, 0);
  if (offer.count !== standing.length || offer.moneyMinor !== money) {
    report('counters_differ', `counted ${offer.count} and ${offer.moneyMinor}, there are ${standing.length} and ${money}`);
  }
}

/** What was acknowledged of a claim's later life has happened, and what happened was asked for. */
function checkEffects({ id, status }: FinalClaim, ops: readonly Op[], report: Report): void {
  const acknowledged = (act: string): boolean => ops.some(({ invoked, answer }) => invoked.act === act && answer?.type === 'ok');
  const possible = (act: string): boolean => ops.some(({ invoked, answer }) => invoked.act === act && answer?.type !== 'fail');
  if (acknowledged('refund') && status !== 'refunded') report('effect_lost', `${id} was refunded and is ${status}`);
  else if (acknowledged('redeem') && status !== 'redeemed' && status !== 'refunded') report('effect_lost', `${id} was redeemed and is ${status}`);
  else if (acknowledged('release') && status !== 'released' && status !== 'expired') report('effect_lost', `${id} was released and is ${status}`);
  const needs = { redeemed: 'redeem', released: 'release', refunded: 'refund' } as const;
  if (status in needs && !possible(needs[status as keyof typeof needs])) report('effect_uninvited', `${id} is ${status} by nobody`);
}

/** At no instant did more stand than may: of the offer's claims, of its money, of one shopper's claims; and at rest of one device's. */
function checkBudget(offer: FinalOffer, made: readonly Claimed[], ops: readonly Op[], report: Report): void {
  let standing = 0;
  let worst = 0;
  const ofShopper = new Map<string, number>();
  const over = new Set<string>();
  for (const { by, shopper } of surelyStanding(offer, made, ops)) {
    standing += by;
    worst = Math.max(worst, standing);
    const own = (ofShopper.get(shopper) ?? 0) + by;
    ofShopper.set(shopper, own);
    if (own > offer.perUserMax) over.add(shopper);
  }
  const rest = offer.claims.filter(({ status }) => STANDING.has(status));
  worst = Math.max(worst, rest.length);
  for (const [shopper, own] of groupBy(rest, (claim) => claim.shopper)) if (own.length > offer.perUserMax) over.add(shopper);
  const withDevice = rest.filter(({ device }) => device !== undefined);
  for (const [device, own] of groupBy(withDevice, (claim) => claim.device ?? '')) if (own.length > offer.perDeviceMax) over.add(`device ${device}`);
  if (worst > offer.countMax) report('over_issued', `${worst} of ${offer.countMax} stood at once`);
  // What a redeemed claim did not need is free again from an instant that no client knows.
  const isFreed = rest.some(({ holdsMinor }) => holdsMinor < offer.reserveMinor);
  const money = Math.max(offer.claims.reduce((sum, { holdsMinor }) => sum + holdsMinor, 0), isFreed ? 0 : worst * offer.reserveMinor);
  if (money > offer.moneyMinorMax) report('over_money', `${money} of ${offer.moneyMinorMax} was out at once`);
  for (const shopper of over) report('over_cap', `${shopper} had more than ${shopper.startsWith('device ') ? offer.perDeviceMax : offer.perUserMax}`);
}

/** When each claim surely begins to stand, and when that ends, in order of time; at one instant ends come first. */
function surelyStanding(offer: FinalOffer, made: readonly Claimed[], ops: readonly Op[]): { at: number; by: 1 | -1; shopper: string }[] {
  const givenBackAt = new Map<string, number>();
  for (const { invoked, answer } of ops) {
    if ((invoked.act !== 'release' && invoked.act !== 'refund') || invoked.claim === undefined || answer?.type === 'fail') continue;
    givenBackAt.set(invoked.claim, Math.min(invoked.at, givenBackAt.get(invoked.claim) ?? Infinity));
  }
  // One that the sweep took back stood until an instant that no client knows: it is not counted.
  const seen = new Set(offer.claims.filter(({ status }) => status === 'expired').map(({ id }) => id));
  const steps: { at: number; by: 1 | -1; shopper: string }[] = [];
  for (const { invoked: { shopper = '' }, answer } of made.toSorted((a, b) => a.answer.at - b.answer.at)) {
    const back = givenBackAt.get(answer.claim) ?? Infinity;
    if (seen.has(answer.claim) || back <= answer.at) continue;
    seen.add(answer.claim);
    steps.push({ at: answer.at, by: 1, shopper }, { at: back, by: -1, shopper });
  }
  return steps.toSorted((a, b) => a.at - b.at || a.by - b.by);
}
