import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { codeSource, partsOfClaimId } from '../domain/claim-code.js';
import type { ShopperEvent } from '../domain/event.js';
import { AppError } from '../errors.js';
import { FlaggedFollower } from '../follow/flagged-follower.js';
import { RiskKeeper } from '../jobs/risk.js';
import type { ClaimGuard } from '../paths/claims.js';
import { RiskLedger } from '../paths/risk-ledger.js';
import { ShareWatch } from '../paths/share-watch.js';
import { ClaimStore } from '../redis/claim-store.js';
import type { RedisClient } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import type { ProfileStore } from '../redis/profile-store.js';
import { RiskStore } from '../redis/risk-store.js';
import { WalletStore } from '../redis/wallet-store.js';
import type { Clock } from '../util/clock.js';
import { idSource } from '../util/id-source.js';
import type { WiredLimits } from './limits.js';

export interface RiskParts {
  readonly config: Config;
  readonly log: Logger;
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly profiles: ProfileStore;
  readonly clock: Clock;
}

export interface WiredRisk {
  readonly ledger: RiskLedger;
  readonly flagged: FlaggedFollower;
  readonly guard: ClaimGuard;
  /** Undefined where nothing is limited: then events pay nothing for it. */
  readonly limitEvent: ((event: ShopperEvent) => number | undefined) | undefined;
  readonly admitEvents: (ip: string, events: number) => void;
  stop(): Promise<void>;
}

/** Limits and flags of an api process. */
export async function wireRisk(parts: RiskParts, { claims, events }: Pick<WiredLimits, 'claims' | 'events'>): Promise<WiredRisk> {
  const { log } = parts;
  const { ledger, flagged, shares } = makeRisk(parts);
  await flagged.start();
  return {
    ledger, flagged,
    guard: {
      admit(user, { deviceId, ip }) {
        const waitS = claims?.take({ user, ...deviceId === undefined ? {} : { device: deviceId }, ...ip === undefined ? {} : { ip } });
        if (waitS !== undefined) throw tooMany('claims of this shopper, device or address', waitS);
      },
      claimed(claim, origin) {
        shares.onClaim(claim, origin).catch((error: unknown) => { log.warn({ err: error }, 'claim of a share not looked at'); });
      },
    },
    limitEvent: events === undefined ? undefined : ({ shopper, context }) => {
      const device = context?.['deviceId'];
      return events.take({ user: shopper, ...typeof device === 'string' ? { device } : {} });
    },
    admitEvents(ip, count) {
      const waitS = events?.take({ ip }, count);
      if (waitS !== undefined) throw tooMany('events of this address', waitS);
    },
    stop: () => flagged.stop(),
  };
}

export interface WiredRiskWork {
  /** To be run behind the event stream. */
  readonly keeper: RiskKeeper;
  readonly flagged: FlaggedFollower;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** What a worker does about risk. */
export function wireRiskWork(parts: RiskParts): WiredRiskWork {
  const { redis, keys, clock } = parts;
  const { ledger, flagged, shares, claims } = makeRisk(parts);
  const wallets = new WalletStore(redis, keys);
  const keeper = new RiskKeeper({
    ledger, shares,
    releaseShares: async (shopper) => {
      for (const { claimId } of await wallets.read(shopper)) {
        const at = partsOfClaimId(claimId);
        const claim = at === undefined ? undefined : await claims.get(at.offerId, at.number);
        if (at === undefined || claim?.status !== 'held' || (claim.shareCode ?? claim.sharedBy) === undefined) continue;
        await claims.settle('release', at.offerId, at.number, clock());
      }
    },
  });
  return { keeper, flagged, start: () => flagged.start(), stop: () => flagged.stop() };
}

function makeRisk({ config, log, redis, keys, profiles, clock }: RiskParts) {
  const store = new RiskStore(redis, keys, config);
  const claims = new ClaimStore(redis, keys, codeSource());
  const ledger = new RiskLedger({ store, profiles, limits: config.risk, clock, newId: idSource() });
  return { ledger, claims, shares: new ShareWatch({ store, claims, ledger, clock }), flagged: new FlaggedFollower(store, log) };
}

const tooMany = (what: string, retryAfterS: number): AppError =>
  new AppError('rate_limited', `Too many ${what}; try again in ${retryAfterS} s.`, { retryAfterS });
