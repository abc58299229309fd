import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { EntryCursor } from '../domain/form.js';
import { OFFER_STATUSES, OfferIdSchema, OfferInputSchema } from '../domain/offer.js';
import { OFFER_DESK_LIMITS, type OfferDesk, type OfferMove } from '../paths/offer-desk.js';
import { Type } from '../util/type.js';
import { operatorOf, VersionMatch, versionOf } from './operator.js';
import { pageLimit, pageSize } from './page-limit.js';

const strict = { additionalProperties: false } as const;
const Params = Type.Object({ id: OfferIdSchema });
const MoveParams = Type.Object({ id: OfferIdSchema, move: Type.Enum(['activate', 'pause', 'archive']) });
const Limit = pageLimit(OFFER_DESK_LIMITS.listMax);
const Page = Type.Object({ cursor: Type.Optional(OfferIdSchema), limit: Limit, status: Type.Optional(Type.Enum([...OFFER_STATUSES])) }, strict);
const AuditPage = Type.Object({ cursor: Type.Optional(EntryCursor), limit: Limit }, strict);

/** What operators do to offers. */
export function offerRoutes(server: FastifyInstance, desk: OfferDesk): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  const config = { scope: 'offers' } as const;
  const tags = ['offers'];
  app.post('/v1/offers', {
    config, schema: { summary: 'Draft an offer', tags, body: OfferInputSchema },
  }, async (request, reply) => reply.status(201).send({ offer: await desk.create(request.body, operatorOf(request)) }));
  app.get('/v1/offers', {
    config, schema: { summary: 'List offers with what is out of them, in order of their ids', tags, querystring: Page },
  }, (request) => {
    const { cursor = '', limit, status } = request.query;
    return desk.list(cursor, sizeOf(limit), status);
  });
  app.get('/v1/offers/:id', {
    config, schema: { summary: 'Read an offer, and what is out of it', tags, params: Params },
  }, async (request) => {
    const { id } = request.params;
    return { offer: await desk.describe(id) };
  });
  app.put('/v1/offers/:id', {
    config, schema: { summary: 'Change an offer: its whole definition; If-Match: the version that was read', tags, params: Params, body: OfferInputSchema, headers: VersionMatch },
  }, async (request) => {
    const { id } = request.params;
    return { offer: await desk.change(id, request.body, operatorOf(request), versionOf(request.headers)) };
  });
  app.post('/v1/offers/:id/:move', {
    config, schema: { summary: 'Activate, pause or archive an offer', tags, params: MoveParams },
  }, async (request) => {
    const { id, move } = request.params;
    return { offer: await desk.move(id, move as OfferMove, operatorOf(request)) };
  });
  app.get('/v1/offers/:id/audit', {
    config, schema: { summary: 'Who changed an offer, when, from what to what; newest first', tags, params: Params, querystring: AuditPage },
  }, (request) => {
    const { id } = request.params;
    const { cursor, limit } = request.query;
    return desk.audit(id, cursor, sizeOf(limit));
  });
}

const sizeOf = (limit: string | undefined): number => pageSize(limit, OFFER_DESK_LIMITS.listMax);
