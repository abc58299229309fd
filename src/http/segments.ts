import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { SEGMENT_LIMITS, SegmentIdSchema, SegmentInputSchema } from '../domain/segment.js';
import { shopperIds } from '../domain/shopper.js';
import type { SegmentEstimate } from '../paths/estimate-segment.js';
import type { SegmentDesk } from '../paths/segment-desk.js';
import { Type } from '../util/type.js';
import { pageLimit, pageSize } from './page-limit.js';

const Params = Type.Object({ id: SegmentIdSchema });
const EstimateBody = Type.Object({ expression: SegmentInputSchema.properties.expression }, { additionalProperties: false });
const MemberQuery = Type.Object({
  cursor: Type.Optional(Type.String({ maxLength: 1024 })),
  limit: pageLimit(SEGMENT_LIMITS.membersPerPageMax, 100),
}, { additionalProperties: false });

export function segmentRoutes(server: FastifyInstance, desk: SegmentDesk, estimate: (expression: string) => Promise<SegmentEstimate>): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  const config = { scope: 'offers' } as const;
  app.get('/v1/segments', { config, schema: { summary: 'All segments and tags, with their sizes', tags: ['segments'] } },
    async () => ({ segments: await desk.list() }));
  app.get('/v1/segments/:id', { config, schema: { summary: 'A segment, with its size', tags: ['segments'], params: Params } },
    (request) => desk.get(request.params.id));
  app.put('/v1/segments/:id', { config, schema: { summary: 'Make or change a segment', tags: ['segments'], params: Params, body: SegmentInputSchema } },
    (request) => desk.put(request.params.id, request.body));
  app.delete('/v1/segments/:id', { config, schema: { summary: 'Remove a segment', tags: ['segments'], params: Params } }, async (request, reply) => {
    await desk.remove(request.params.id);
    return reply.status(204).send();
  });
  app.post('/v1/segments/estimate', {
    config, schema: { summary: 'About how many an expression would find, before it is saved', tags: ['segments'], body: EstimateBody },
  }, (request) => estimate(request.body.expression));
  app.get('/v1/segments/:id/members', {
    config, schema: { summary: 'Who is in a segment, a page at a time', tags: ['segments'], params: Params, querystring: MemberQuery },
  }, async (request, reply) => {
    const { cursor = '', limit } = request.query;
    const page = await desk.members(request.params.id, cursor, pageSize(limit, SEGMENT_LIMITS.membersPerPageMax, 100));
    void reply.preventCache();
    return { members: page.members.map(shopperIds), ...page.cursor === '' ? {} : { cursor: page.cursor } };
  });
}
