import type { Campaign } from '../domain/campaign.js';

/** What is kept of an operator's campaign; of one that comes with the engine perhaps only whether it is active. */
export type StoredCampaign = Omit<Campaign, 'isBuiltIn'> | Pick<Campaign, 'id' | 'status'>;

/** @returns all campaigns in order of their ids, an operator's in the place of one that comes with the engine */
export function mergeCampaigns(builtIn: readonly Campaign[], stored: readonly StoredCampaign[]): Campaign[] {
  const campaigns = new Map(builtIn.map((campaign) => [campaign.id, campaign]));
  for (const one of stored) {
    const known = campaigns.get(one.id);
    if ('steps' in one) campaigns.set(one.id, { ...one, isBuiltIn: false });
    else if (known !== undefined) campaigns.set(one.id, { ...known, status: one.status });
  }
  return [...campaigns.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
