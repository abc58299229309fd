import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { RoomIdSchema } from '../domain/room.js';
import type { RoomInsightsReader } from '../paths/room-insights.js';
import { Type } from '../util/type.js';

/** What viewers of a room do and say, for its host. */
export function roomInsightsRoutes(server: FastifyInstance, insights: Pick<RoomInsightsReader, 'read'>): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  app.get('/v1/rooms/:id/insights', {
    config: { scope: 'host' }, schema: { summary: 'Counts, mood, what is asked about now, and which cue to trigger next', tags: ['rooms'], params: Type.Object({ id: RoomIdSchema }) },
  }, async (request, reply) => {
    void reply.preventCache();
    return insights.read(request.params.id);
  });
}
