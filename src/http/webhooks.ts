import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { cursor } from '../domain/form.js';
import { WEBHOOK_LIMITS, WebhookIdSchema, WebhookInputSchema } from '../domain/webhook.js';
import type { WebhookDesk } from '../paths/webhook-desk.js';
import { Type } from '../util/type.js';
import { pageLimit, pageSize } from './page-limit.js';

const strict = { additionalProperties: false } as const;
const Params = Type.Object({ id: WebhookIdSchema });
const DeadParams = Type.Object({ id: WebhookIdSchema, messageId: Type.String({ minLength: 1, maxLength: 256 }) });
const Page = Type.Object({
  cursor: Type.Optional(cursor('^[0-9]{1,16}-.{1,256}$')),
  limit: pageLimit(WEBHOOK_LIMITS.deadPerPageMax),
}, strict);

/** What operators do to webhooks. */
export function webhookRoutes(server: FastifyInstance, desk: WebhookDesk): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  const config = { scope: 'offers' } as const;
  const tags = ['webhooks'];
  app.get('/v1/webhooks', { config, schema: { summary: 'List webhooks', tags } }, async () => ({ webhooks: await desk.list() }));
  app.get('/v1/webhooks/:id', {
    config, schema: { summary: 'Read a webhook', tags, params: Params },
  }, async (request) => ({ webhook: await desk.get(request.params.id) }));
  app.put('/v1/webhooks/:id', {
    config, schema: { summary: 'Make or change a webhook; a secret that is made here is told once', tags, params: Params, body: WebhookInputSchema },
  }, (request) => {
    const { id } = request.params;
    return desk.put(id, request.body);
  });
  app.delete('/v1/webhooks/:id', {
    config, schema: { summary: 'Delete a webhook and what waits for it', tags, params: Params },
  }, async (request, reply) => {
    const { id } = request.params as { id: string };
    await desk.remove(id);
    return reply.status(204).send();
  });
  app.get('/v1/webhooks/:id/dead', {
    config, schema: { summary: 'What could not be delivered, the latest first', tags, params: Params, querystring: Page },
  }, (request) => {
    const { id } = request.params;
    const { cursor, limit } = request.query;
    return desk.dead(id, cursor, pageSize(limit, WEBHOOK_LIMITS.deadPerPageMax));
  });
  app.post('/v1/webhooks/:id/dead/replay', {
    config, schema: { summary: 'Try all of it again', tags, params: Params },
  }, async (request) => ({ replayed: await desk.replay(request.params.id) }));
  app.post('/v1/webhooks/:id/dead/:messageId/replay', {
    config, schema: { summary: 'Try one of it again', tags, params: DeadParams },
  }, async (request) => {
    const { id, messageId } = request.params;
    return { replayed: await desk.replay(id, messageId) };
  });
}
