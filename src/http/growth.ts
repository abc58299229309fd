import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { EntryCursor } from '../domain/form.js';
import { GROWTH_LIMITS, GrowthRulesSchema } from '../domain/growth.js';
import type { GrowthDesk } from '../paths/growth-desk.js';
import type { GrowthLedger } from '../paths/growth-ledger.js';
import { Type } from '../util/type.js';
import { pageLimit, pageSize } from './page-limit.js';
import { addressedKey, Kind, KindQuery, ShopperParams } from './shopper-address.js';

const LedgerQuery = Type.Object({
  kind: Kind,
  cursor: Type.Optional(EntryCursor),
  limit: pageLimit(GROWTH_LIMITS.ledgerPageMax),
}, { additionalProperties: false });

/** What shoppers have grown to, and by which rules. */
export function growthRoutes(server: FastifyInstance, desk: GrowthDesk, ledger: GrowthLedger): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  const tags = ['growth'];
  app.get('/v1/users/:id/growth', {
    config: { scope: 'users' }, schema: { summary: 'Points, level, badges, streak, tasks and the ledger, newest first', tags, params: ShopperParams, querystring: LedgerQuery },
  }, async (request, reply) => {
    const { cursor = '', limit, kind } = request.query;
    const { id } = request.params;
    void reply.preventCache();
    return desk.describe(addressedKey(id, kind), cursor, pageSize(limit, GROWTH_LIMITS.ledgerPageMax));
  });
  app.post('/v1/users/:id/check-ins', {
    config: { scope: 'users' }, schema: { summary: 'Check a shopper in for today; a second time changes nothing', tags, params: ShopperParams, querystring: KindQuery },
  }, async (request) => {
    const { id } = request.params;
    return { counted: await ledger.checkIn(addressedKey(id, request.query.kind)) };
  });
  app.get('/v1/growth/rules', { config: { scope: 'offers' }, schema: { summary: 'Rules of points, levels, tasks and badges', tags } }, () => desk.rules());
  app.put('/v1/growth/rules', {
    config: { scope: 'offers' }, schema: { summary: 'Replace the rules; what was given stays given', tags, body: GrowthRulesSchema },
  }, (request) => desk.putRules(request.body));
}
