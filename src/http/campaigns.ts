import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { CampaignIdSchema, CampaignInputSchema } from '../domain/campaign.js';
import type { CampaignDesk } from '../paths/campaign-desk.js';
import { Type } from '../util/type.js';

const Params = Type.Object({ id: CampaignIdSchema });

/** What operators do to campaigns. */
export function campaignRoutes(server: FastifyInstance, desk: CampaignDesk): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  const config = { scope: 'offers' } as const;
  const tags = ['campaigns'];
  app.get('/v1/campaigns', {
    config, schema: { summary: 'List campaigns, those that come with the engine among them', tags },
  }, async () => ({ campaigns: await desk.list() }));
  app.get('/v1/campaigns/:id', {
    config, schema: { summary: 'Read a campaign', tags, params: Params },
  }, async (request) => ({ campaign: await desk.get(request.params.id) }));
  app.put('/v1/campaigns/:id', {
    config, schema: { summary: 'Make a campaign, paused, or replace the definition of one', tags, params: Params, body: CampaignInputSchema },
  }, async (request) => {
    const { id } = request.params;
    return { campaign: await desk.put(id, request.body) };
  });
  app.delete('/v1/campaigns/:id', {
    config, schema: { summary: 'Delete a campaign; one that comes with the engine is again as it came', tags, params: Params },
  }, async (request, reply) => {
    const { id } = request.params as { id: string };
    await desk.remove(id);
    return reply.status(204).send();
  });
  for (const [move, status, summary] of [['activate', 'active', 'Let shoppers into a campaign'], ['pause', 'paused', 'Pause a campaign: steps that come due meanwhile are not sent']] as const) {
    app.post(`/v1/campaigns/:id/${move}`, {
      config, schema: { summary, tags, params: Params },
    }, async (request) => {
      const { id } = request.params as { id: string };
      return { campaign: await desk.setStatus(id, status) };
    });
  }
}
