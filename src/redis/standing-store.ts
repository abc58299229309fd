import type { Growth } from '../profile/portrait.js';
import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';

/** What a shopper has come to beside the profile: in one small hash, because every decision reads it. */
export interface Standing {
  readonly growth: Growth | undefined;
  /** 0 … 1; an operator's word counts: 1 when flagged, 0 when cleared. */
  readonly riskScore: number | undefined;
}

export class StandingStore {
  constructor(private readonly redis: RedisClient, private readonly keys: Keys) {}

  async read(shopper: string): Promise<Standing> {
    const [points, level, badges, risk] = await this.redis.hmget(this.keys.standing(shopper), 'points', 'level', 'badges', 'risk');
    return {
      growth: points == null ? undefined : { points: Number(points), level: Number(level), badges: JSON.parse(badges ?? '[]') as string[] },
      riskScore: risk == null ? undefined : Number(risk),
    };
  }
}
