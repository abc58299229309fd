import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import fp from 'fastify-plugin';

/** Serves the demo store's page at `/`. */
export const demoPage = fp(async (app) => {
  await app.register(fastifyStatic, { root: fileURLToPath(new URL('page', import.meta.url)), prefix: '/' });
});
