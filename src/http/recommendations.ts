import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { RecommendationBatchSchema, RecommendationSchema } from '../domain/recommendation.js';
import type { RecommendationService } from '../paths/recommendation-service.js';

/** The service answers with JSON text: it is sent as it is. */
export function recommendationRoutes(server: FastifyInstance, service: RecommendationService): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  app.post('/v1/recommendations', {
    config: { scope: 'recommend' },
    schema: { summary: 'Rank items for a shopper', tags: ['recommendations'], body: RecommendationSchema },
  }, async (request, reply) => {
    const body = await service.recommend(request.body);
    return reply.type('application/json; charset=utf-8').send(body);
  });
  app.post('/v1/recommendations/batch', {
    config: { scope: 'recommend' },
    schema: { summary: 'Rank several lists of one page, no item twice', tags: ['recommendations'], body: RecommendationBatchSchema },
  }, async (request, reply) => {
    const body = await service.recommendBatch(request.body);
    return reply.type('application/json; charset=utf-8').send(body);
  });
}
