import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import type { Catalog } from '../catalog/catalog.js';
import { AttributesSchema } from '../domain/attributes.js';
import { SCENES } from '../domain/scene.js';
import { named } from '../paths/explain.js';
import { namedShopper } from '../paths/named-shopper.js';
import type { Shoppers } from '../paths/shoppers.js';
import type { StoredPortraits } from '../paths/stored-portraits.js';
import { USER_FEATURES, writeUserFeatures } from '../profile/vector.js';
import { describeProfile } from '../profile/describe.js';
import type { Clock } from '../util/clock.js';
import { Type, type Static } from '../util/type.js';
import { addressedKey, Kind, KindQuery } from './shopper-address.js';

const Params = Type.Object({ id: Type.String({ minLength: 1 }) });
const FeatureQuery = Type.Object({ kind: Kind, scene: Type.Optional(Type.Enum([...SCENES])) }, { additionalProperties: false });
const Alias = Type.Object({ anonymousId: Type.String({ minLength: 1, maxLength: 256 }) }, { additionalProperties: false });

export function userRoutes(server: FastifyInstance, shoppers: Shoppers, portraits: StoredPortraits, catalog: Catalog, clock: Clock, storeCurrency: string | undefined): void {
  const app = server.withTypeProvider<TypeBoxTypeProvider>();
  const config = { scope: 'users' } as const;
  const keyOf = (request: { params: unknown; query: unknown }): string => {
    const { id } = request.params as Static<typeof Params>;
    const { kind } = request.query as Static<typeof KindQuery>;
    return addressedKey(id, kind);
  };
  app.get('/v1/users/:id/profile', {
    config, schema: { summary: 'The rolling state of a shopper', tags: ['users'], params: Params, querystring: KindQuery },
  }, async (request, reply) => {
    const { shopper, profile, bytes } = await shoppers.profile(keyOf(request));
    void reply.preventCache();
    return { shopper, bytes, ...describeProfile(profile, catalog, storeCurrency) };
  });
  app.get('/v1/users/:id/features', {
    config, schema: { summary: 'The feature vector as of now, by name', tags: ['users'], params: Params, querystring: FeatureQuery },
  }, async (request, reply) => {
    const { profile } = await shoppers.profile(keyOf(request));
    const vector = new Float32Array(USER_FEATURES.length);
    const { scene } = request.query;
    writeUserFeatures(vector, profile, scene ?? 'home', clock());
    void reply.preventCache();
    return { features: named(USER_FEATURES, vector) };
  });
  app.get('/v1/users/:id/portrait', {
    config, schema: { summary: 'The profile as a person reads it', tags: ['users'], params: Params, querystring: KindQuery },
  }, async (request, reply) => {
    const { shopper, profile } = await shoppers.profile(keyOf(request));
    void reply.preventCache();
    const portrait = await portraits.describe(shopper, profile);
    return storeCurrency === undefined ? portrait : { ...portrait, currency: storeCurrency };
  });
  app.get('/v1/users/:id/attributes', {
    config, schema: { summary: 'What the store has said of a shopper', tags: ['users'], params: Params, querystring: KindQuery },
  }, async (request, reply) => {
    void reply.preventCache();
    return portraits.attributes(await shoppers.current(keyOf(request)));
  });
  app.put('/v1/users/:id/attributes', {
    config, schema: { summary: 'Say what is known of a shopper: consent, birthday, region…; replaces what was said before', tags: ['users'], params: Params, querystring: KindQuery, body: AttributesSchema },
  }, async (request, reply) => {
    await portraits.writeAttributes(await shoppers.current(keyOf(request)), request.body);
    return reply.status(204).send();
  });
  app.delete('/v1/users/:id', {
    config, schema: { summary: 'Erase a shopper', tags: ['users'], params: Params, querystring: KindQuery },
  }, async (request, reply) => {
    await shoppers.erase(keyOf(request));
    return reply.status(204).send();
  });
  app.post('/v1/users/:id/alias', {
    config, schema: { summary: 'Merge an anonymous visitor into a user, exactly once', tags: ['users'], params: Params, body: Alias },
  }, async (request) => {
    const { id } = request.params;
    const { anonymousId } = request.body;
    return { merged: await shoppers.alias(addressedKey(id, 'user'), namedShopper({ anonymousId })!) };
  });
}
