import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { RiskFlagSchema, type RiskChange, type RiskState } from '../domain/risk.js';
import { shopperKey } from '../domain/shopper.js';
import type { RiskLedger } from '../paths/risk-ledger.js';
import type { Shoppers } from '../paths/shoppers.js';
import { operatorOf } from './offers.js';

const LIST_MAX = 200;
const Params = Type.Object({ id: Type.String({ minLength: 1, maxLength: 256 }) });
const KindQuery = Type.Object({ kind: Type.Optional(Type.Enum(['user', 'anonymous'])) }, { additionalProperties: false });
const Page = Type.Object({
  cursor: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{1,1500}$' })),
  limit: Type.Optional(Type.String({ pattern: '^[0-9]{1,3}$', description: `1 to ${LIST_MAX}, default 50` })),
}, { additionalProperties: false });

/** Who looks like abuse and why; what operators say to it. */
export function riskRoutes(server: FastifyInstance, ledger: RiskLedger, shoppers: Pick<Shoppers, 'current'>): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  const tags = ['risk'];
  const currentOf = (id: string, kind: string | undefined): Promise<string> => shoppers.current(shopperKey(kind === 'anonymous' ? { anonymousId: id } : { userId: id })!);
  app.get('/v1/users/:id/risk', {
    config: { scope: 'offers' }, schema: { summary: 'How much a shopper looks like abuse, with reasons, and who changed the flag', tags, params: Params, querystring: KindQuery },
  }, async (request, reply) => {
    const { id } = request.params;
    const { state, changes } = await ledger.read(await currentOf(id, request.query.kind));
    void reply.preventCache();
    return { ...viewOf(state), audit: changes.map((change: RiskChange) => ({ ...change, at: new Date(change.at).toISOString() })) };
  });
  app.put('/v1/users/:id/risk', {
    config: { scope: 'offers' }, schema: { summary: 'Set or clear the flag, or leave it to the score again (auto)', tags, params: Params, querystring: KindQuery, body: RiskFlagSchema },
  }, async (request) => {
    const { id } = request.params;
    return viewOf(await ledger.setFlag(await currentOf(id, request.query.kind), request.body, operatorOf(request)));
  });
  app.get('/v1/risk/flagged', {
    config: { scope: 'offers' }, schema: { summary: 'Flagged shoppers with reasons, a page at a time', tags, querystring: Page },
  }, async (request, reply) => {
    const { cursor = '', limit = '50' } = request.query;
    const page = await ledger.flagged(cursor, Math.min(LIST_MAX, Math.max(1, Number(limit))));
    void reply.preventCache();
    return {
      shoppers: page.shoppers.map(({ shopper, state }) => ({ ...shopper.startsWith('u:') ? { userId: shopper.slice(2) } : { anonymousId: shopper.slice(2) }, ...viewOf(state) })),
      ...page.cursor === '' ? {} : { cursor: page.cursor },
    };
  });
}

function viewOf({ score, isFlagged, reasons, override, at }: RiskState) {
  return {
    score, flagged: isFlagged, reasons, since: new Date(at).toISOString(),
    ...override === undefined ? {} : { operator: { ...override, at: new Date(override.at).toISOString() } },
  };
}
