import { mergeCampaigns } from '../campaigns/merge-campaigns.js';
import { PLACES } from '../campaigns/words.js';
import { CAMPAIGN_LIMITS, type Campaign, type CampaignInput } from '../domain/campaign.js';
import { AppError } from '../errors.js';
import type { CampaignStore } from '../redis/campaign-store.js';
import { compileExpression } from '../segments/expression.js';
import { isDay } from '../util/calendar.js';

/** What operators do to campaigns. Every process follows within a second. */
export class CampaignDesk {
  readonly #store: CampaignStore;
  readonly #builtIn: ReadonlyMap<string, Campaign>;

  constructor(store: CampaignStore, builtIn: readonly Campaign[]) {
    this.#store = store;
    this.#builtIn = new Map(builtIn.map((campaign) => [campaign.id, campaign]));
  }

  /** In order of their ids. */
  async list(): Promise<Campaign[]> {
    return mergeCampaigns([...this.#builtIn.values()], await this.#store.definitions());
  }

  /** @throws AppError `not_found` */
  async get(id: string): Promise<Campaign> {
    const campaign = (await this.list()).find((one) => one.id === id);
    if (campaign === undefined) throw notFound(id);
    return campaign;
  }

  /**
   * Makes a campaign, paused, or replaces the definition of one, which stays active or paused. Who is in it goes on by the new definition.
   * @throws AppError `invalid_expression`, `invalid_request`, `conflict` when there are too many
   */
  async put(id: string, input: CampaignInput): Promise<Campaign> {
    check(input);
    const there = await this.list();
    const known = there.find((one) => one.id === id);
    if (known === undefined && there.length >= CAMPAIGN_LIMITS.campaignsMax) throw new AppError('conflict', `There are ${CAMPAIGN_LIMITS.campaignsMax} campaigns already; delete some.`);
    const campaign: Campaign = { ...input, id, status: known?.status ?? 'paused', isBuiltIn: false };
    const { isBuiltIn: _isBuiltIn, ...stored } = campaign;
    await this.#store.put(stored);
    return campaign;
  }

  /** @throws AppError `not_found` */
  async setStatus(id: string, status: Campaign['status']): Promise<Campaign> {
    const { isBuiltIn, ...campaign } = await this.get(id);
    await this.#store.put(isBuiltIn ? { id, status } : { ...campaign, status });
    return { ...campaign, status, isBuiltIn };
  }

  /** Removes an operator's campaign; one that comes with the engine is again as it came. @throws AppError `not_found` */
  async remove(id: string): Promise<void> {
    if (!await this.#store.remove(id) && !this.#builtIn.has(id)) throw notFound(id);
  }
}

const namedIn = (words: string): string[] => [...words.matchAll(/\{(\w+)\}/gu)].map(([, name]) => name!);

const notFound = (id: string): AppError => new AppError('not_found', `There is no campaign ${id}.`);

function check({ audience, steps, trigger }: CampaignInput): void {
  if (audience !== undefined) compileExpression(audience);
  const none = trigger.on === 'date' ? trigger.dates.find((date) => !isDay(date)) : undefined;
  if (none !== undefined) throw new AppError('invalid_request', `trigger.dates names ${none}, and there is no such day.`);
  for (const [i, { message, offer }] of steps.entries()) {
    for (const field of ['title', 'plainTitle', 'text'] as const) {
      const none = namedIn(message[field] ?? '').find((name) => !PLACES.some((place) => place === name));
      if (none !== undefined) throw new AppError('invalid_request', `steps.${i}.message.${field} names {${none}}, which is not one of ${PLACES.map((place) => `{${place}}`).join(', ')}.`);
    }
    const named = namedIn(message.plainTitle ?? message.title);
    const known = new Set(['was', 'now'].filter(() => trigger.on === 'catalog' && trigger.change === 'price_drop'));
    if (trigger.on === 'catalog') known.add('item');
    if (trigger.on === 'level_up') known.add('level');
    if (offer !== undefined) known.add('offer');
    const unknown = named.find((name) => !known.has(name));
    if (unknown !== undefined) throw new AppError('invalid_request', `steps.${i}.message names {${unknown}}, which is not always known there: add a plainTitle that does without it.`);
  }
}
