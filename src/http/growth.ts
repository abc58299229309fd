import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { GROWTH_LIMITS, GrowthRulesSchema } from '../domain/growth.js';
import { shopperKey } from '../domain/shopper.js';
import type { GrowthDesk } from '../paths/growth-desk.js';
import type { GrowthLedger } from '../paths/growth-ledger.js';

const Params = Type.Object({ id: Type.String({ minLength: 1, maxLength: 256 }) });
const kind = Type.Optional(Type.Enum(['user', 'anonymous']));
const KindQuery = Type.Object({ kind }, { additionalProperties: false });
const LedgerQuery = Type.Object({
  kind,
  cursor: Type.Optional(Type.String({ pattern: '^[0-9]{1,16}-[0-9]{1,16}$' })),
  limit: Type.Optional(Type.String({ pattern: '^[0-9]{1,3}$', description: `1 to ${GROWTH_LIMITS.ledgerPageMax}, default 50` })),
}, { additionalProperties: false });

/** What shoppers have grown to, and by which rules. */
export function growthRoutes(server: FastifyInstance, desk: GrowthDesk, ledger: GrowthLedger): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  const tags = ['growth'];
  app.get('/v1/users/:id/growth', {
    config: { scope: 'users' }, schema: { summary: 'Points, level, badges, streak, tasks and the ledger, newest first', tags, params: Params, querystring: LedgerQuery },
  }, async (request, reply) => {
    const { cursor = '', limit = '50', kind: of } = request.query;
    const { id } = request.params;
    void reply.preventCache();
    return desk.describe(keyOf(id, of), cursor, Math.min(GROWTH_LIMITS.ledgerPageMax, Math.max(1, Number(limit))));
  });
  app.post('/v1/users/:id/check-ins', {
    config: { scope: 'users' }, schema: { summary: 'Check a shopper in for today; a second time changes nothing', tags, params: Params, querystring: KindQuery },
  }, async (request) => {
    const { id } = request.params;
    return { counted: await ledger.checkIn(keyOf(id, request.query.kind)) };
  });
  app.get('/v1/growth/rules', { config: { scope: 'offers' }, schema: { summary: 'Rules of points, levels, tasks and badges', tags } }, () => desk.rules());
  app.put('/v1/growth/rules', {
    config: { scope: 'offers' }, schema: { summary: 'Replace the rules; what was given stays given', tags, body: GrowthRulesSchema },
  }, (request) => desk.putRules(request.body));
}

const keyOf = (id: string, of: string | undefined): string => shopperKey(of === 'anonymous' ? { anonymousId: id } : { userId: id })!;
