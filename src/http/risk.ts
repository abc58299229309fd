import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { cursor } from '../domain/form.js';
import { RiskFlagSchema, type RiskChange, type RiskState } from '../domain/risk.js';
import { shopperIds } from '../domain/shopper.js';
import type { RiskLedger } from '../paths/risk-ledger.js';
import type { Shoppers } from '../paths/shoppers.js';
import { Type } from '../util/type.js';
import { operatorOf } from './operator.js';
import { pageLimit, pageSize } from './page-limit.js';
import { addressedKey, KindQuery, ShopperParams } from './shopper-address.js';

const LIST_MAX = 200;
const Page = Type.Object({
  cursor: Type.Optional(cursor('^[A-Za-z0-9_-]{1,1500}$')),
  limit: pageLimit(LIST_MAX),
}, { additionalProperties: false });

/** Who looks like abuse and why; what operators say to it. */
export function riskRoutes(server: FastifyInstance, ledger: RiskLedger, shoppers: Pick<Shoppers, 'current'>): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  const tags = ['risk'];
  const currentOf = (id: string, kind: string | undefined): Promise<string> => shoppers.current(addressedKey(id, kind));
  app.get('/v1/users/:id/risk', {
    config: { scope: 'offers' }, schema: { summary: 'How much a shopper looks like abuse, with reasons, and who changed the flag', tags, params: ShopperParams, querystring: KindQuery },
  }, async (request, reply) => {
    const { id } = request.params;
    const { state, changes } = await ledger.read(await currentOf(id, request.query.kind));
    void reply.preventCache();
    return { ...viewOf(state), audit: changes.map((change: RiskChange) => ({ ...change, at: new Date(change.at).toISOString() })) };
  });
  app.put('/v1/users/:id/risk', {
    config: { scope: 'offers' }, schema: { summary: 'Set or clear the flag, or leave it to the score again (auto)', tags, params: ShopperParams, querystring: KindQuery, body: RiskFlagSchema },
  }, async (request) => {
    const { id } = request.params;
    return viewOf(await ledger.setFlag(await currentOf(id, request.query.kind), request.body, operatorOf(request)));
  });
  app.get('/v1/risk/flagged', {
    config: { scope: 'offers' }, schema: { summary: 'Flagged shoppers with reasons, a page at a time', tags, querystring: Page },
  }, async (request, reply) => {
    const { cursor = '', limit } = request.query;
    const page = await ledger.flagged(cursor, pageSize(limit, LIST_MAX));
    void reply.preventCache();
    return {
      shoppers: page.shoppers.map(({ shopper, state }) => ({ ...shopperIds(shopper), ...viewOf(state) })),
      ...page.cursor === '' ? {} : { cursor: page.cursor },
    };
  });
}

function viewOf({ score, isFlagged, reasons, override, at }: RiskState) {
  return {
    score, flagged: isFlagged, reasons,
    // Of whom nothing speaks, nor anybody has spoken, there is no time.
    ...at === 0 ? {} : { since: new Date(at).toISOString() },
    ...override === undefined ? {} : { operator: { ...override, at: new Date(override.at).toISOString() } },
  };
}
