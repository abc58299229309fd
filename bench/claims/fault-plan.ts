import type { OfferInput } from '../../src/domain/offer.js';
import { seededRandom } from '../../src/util/random.js';
import { anOffer } from './offers.js';

/** What goes wrong in a run. Those with a replica wait for it before they hand out (CLAIM_WAIT_REPLICAS=1). */
export const FAULTS = {
  api_killed: { isReplicated: false }, worker_killed: { isReplicated: false }, redis_killed: { isReplicated: false },
  api_paused: { isReplicated: false }, redis_paused: { isReplicated: false },
  replies_lost: { isReplicated: false }, replies_late: { isReplicated: false }, connections_cut: { isReplicated: false },
  master_killed: { isReplicated: true }, replica_parted: { isReplicated: true },
} as const;
export type Fault = keyof typeof FAULTS;
const KINDS = Object.keys(FAULTS) as Fault[];

/** All that chance decides of a run beside what clients do. Times in ms. */
export interface FaultPlan {
  readonly seed: number;
  readonly fault: Fault;
  /** From the first claim until the fault. */
  readonly beginsMs: number;
  readonly lastsMs: number;
  /** From its end until clients stop. */
  readonly calmMs: number;
  /** Of replies that come late. */
  readonly lateMs: number;
  /** Which of the api processes it befalls. */
  readonly api: number;
  readonly offers: readonly OfferInput[];
}

const OFFERS = 4;

/** The same seed, the same plan; ten seeds in a row have each fault once. */
export function planOf(seed: number, apis: number): FaultPlan {
  const random = seededRandom(seed);
  const between = (from: number, to: number): number => Math.floor(from + random() * (to - from));
  const fault = KINDS[seed % KINDS.length]!;
  return {
    seed, fault, beginsMs: between(150, 900), lastsMs: between(200, 1200), calmMs: between(300, 800), lateMs: between(50, 800), api: between(0, apis),
    offers: Array.from({ length: OFFERS }, (_, i) => ({
      ...anOffer(`f${seed}-${i}`, between(40, 400), i),
      // The sweep takes some back while clients are at it.
      ...(i === OFFERS - 1 ? { claimTtlS: 1 } : {}),
    })),
  };
}
