import type { StoredCampaign } from '../campaigns/merge-campaigns.js';
import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';

const CAMPAIGN_STORE_LIMITS = {
  /** Life of the mark of a day, ms: longer than any day. */
  dayMs: 3 * 86_400_000,
} as const;

/** Operators' campaigns. */
export class CampaignStore {
  constructor(private readonly redis: RedisClient, private readonly keys: Keys) {}

  async definitions(): Promise<StoredCampaign[]> {
    return Object.values(await this.redis.hgetall(this.keys.campaigns)).map((json) => JSON.parse(json) as StoredCampaign);
  }

  /** @returns what changes with every change of a definition */
  async version(): Promise<string> {
    return await this.redis.get(this.keys.campaignsVersion) ?? '0';
  }

  async put(campaign: StoredCampaign): Promise<void> {
    await this.redis.multi().hset(this.keys.campaigns, campaign.id, JSON.stringify(campaign)).incr(this.keys.campaignsVersion).exec();
  }

  /** @returns whether there was one */
  async remove(id: string): Promise<boolean> {
    const removed = await this.redis.hdel(this.keys.campaigns, id);
    if (removed === 1) await this.redis.incr(this.keys.campaignsVersion);
    return removed === 1;
  }

  async isDayDone(campaign: string, day: string): Promise<boolean> {
    return await this.redis.exists(this.keys.campaignDay(campaign, day)) === 1;
  }

  /** All shoppers of a day are in the campaign. */
  async markDayDone(campaign: string, day: string): Promise<void> {
    await this.redis.set(this.keys.campaignDay(campaign, day), '1', 'PX', CAMPAIGN_STORE_LIMITS.dayMs);
  }
}
