import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { ClaimIdSchema, ClaimInputSchema } from '../domain/claim.js';
import { AmountMinorSchema, OfferIdSchema } from '../domain/offer.js';
import type { Claims } from '../paths/claims.js';
import { Type } from '../util/type.js';
import { idempotencyKey } from './idempotency-key.js';
import { addressedKey, KindQuery, ShopperParams } from './shopper-address.js';

const strict = { additionalProperties: false } as const;
const OfferParams = Type.Object({ id: OfferIdSchema });
const ClaimParams = Type.Object({ id: ClaimIdSchema });
const Key = idempotencyKey('claim');
const Redemption = Type.Object({ spentMinor: AmountMinorSchema }, strict);

const PENDING = { status: 'pending', message: 'The store did not answer in time; it may have claimed this. Send the same Idempotency-Key again: it tells, and never claims twice.' };

/** What shoppers do to offers, and the till to claims. */
export function claimRoutes(server: FastifyInstance, claims: Claims): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  const tags = ['claims'];
  app.post('/v1/offers/:id/claims', {
    config: { scope: 'recommend' }, schema: { summary: 'Claim an offer, once per Idempotency-Key', tags, params: OfferParams, body: ClaimInputSchema, headers: Key },
  }, async (request, reply) => {
    const { id } = request.params;
    const result = await claims.claim(id, request.headers['idempotency-key'], request.body, request.ip);
    if (result.kind === 'pending') return reply.status(202).header('retry-after', '1').send(PENDING);
    return reply.status(result.kind === 'made' ? 201 : 200).send({ claim: result.claim });
  });
  app.get('/v1/claims/:id', {
    config: { scope: 'offers' }, schema: { summary: 'Read a claim', tags, params: ClaimParams },
  }, async (request) => {
    const { id } = request.params;
    return { claim: await claims.get(id) };
  });
  app.post('/v1/claims/:id/redeem', {
    config: { scope: 'offers' }, schema: { summary: 'Redeem a claim for what it came to; the rest returns to the budget', tags, params: ClaimParams, body: Redemption },
  }, async (request) => {
    const { id } = request.params;
    return { claim: await claims.settle('redeem', id, request.body.spentMinor) };
  });
  for (const [what, summary] of [['release', 'Give a claim back'], ['refund', 'Refund a redeemed claim; the budget returns by the policy of the offer']] as const) {
    app.post(`/v1/claims/:id/${what}`, {
      config: { scope: 'offers' }, schema: { summary, tags, params: ClaimParams },
    }, async (request) => {
      const { id } = request.params as { id: string };
      return { claim: await claims.settle(what, id) };
    });
  }
  app.get('/v1/users/:id/wallet', {
    config: { scope: 'users' }, schema: { summary: 'What a shopper has claimed, newest first', tags, params: ShopperParams, querystring: KindQuery },
  }, async (request, reply) => {
    const { id } = request.params;
    const { kind } = request.query;
    void reply.preventCache();
    return { claims: await claims.wallet(addressedKey(id, kind)) };
  });
}
