import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { DecisionSchema } from '../domain/decision.js';
import type { DecisionService } from '../paths/decision-service.js';

export function decisionRoutes(server: FastifyInstance, service: DecisionService): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  app.post('/v1/decisions', {
    config: { scope: 'recommend' },
    schema: { summary: 'Decide which offer, if any, a shopper gets', tags: ['offers'], body: DecisionSchema },
  }, (request) => service.decide(request.body));
}
