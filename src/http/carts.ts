import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { CartCheckSchema } from '../domain/cart.js';
import type { CartChecker } from '../paths/check-cart.js';

export function cartRoutes(server: FastifyInstance, carts: CartChecker): void {
  server.withTypeProvider<TypeBoxTypeProvider>().post('/v1/offers/validate', {
    config: { scope: 'recommend' },
    schema: { summary: 'What of a shopper’s offers applies to a cart, their best combination, exact amounts', tags: ['offers'], body: CartCheckSchema },
  }, (request) => carts.check(request.body));
}
