import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import type { Inbox } from '../paths/inbox.js';
import { Type } from '../util/type.js';
import { addressedKey, KindQuery, ShopperParams } from './shopper-address.js';

const MessageParams = Type.Object({ ...ShopperParams.properties, messageId: Type.String({ minLength: 1, maxLength: 256 }) });

/** What was sent to a shopper, for the page that shows it. */
export function inboxRoutes(server: FastifyInstance, inbox: Inbox): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  const config = { scope: 'recommend' } as const;
  const tags = ['campaigns'];
  app.get('/v1/users/:id/inbox', {
    config, schema: { summary: 'Messages to a shopper that still stand, the latest first', tags, params: ShopperParams, querystring: KindQuery },
  }, async (request, reply) => {
    const { id } = request.params;
    const { kind } = request.query;
    void reply.preventCache();
    return { messages: (await inbox.messages(addressedKey(id, kind))).toReversed() };
  });
  for (const [act, mark, summary] of [['read', 'read', 'Note that a message was read'], ['dismiss', 'dismissed', 'Take a message out of the inbox']] as const) {
    app.post(`/v1/users/:id/inbox/:messageId/${act}`, {
      config, schema: { summary, tags, params: MessageParams, querystring: KindQuery },
    }, async (request, reply) => {
      const { id, messageId } = request.params as { id: string; messageId: string };
      const { kind } = request.query as { kind?: string };
      await inbox.mark(addressedKey(id, kind), messageId, mark);
      return reply.status(204).send();
    });
  }
}
