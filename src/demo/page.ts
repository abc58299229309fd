import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** The page's files are served from the sources: plain modules that no build touches. */
const FOLDER = fileURLToPath(new URL('../../../src/demo/page/', import.meta.url));

/** The demo store's pages, at `/` and `/live`. One route a file, so that any other path still gets the catalogue's 404. */
export async function demoPage(app: FastifyInstance): Promise<void> {
  await app.register(fastifyStatic, { root: FOLDER, wildcard: false });
  app.get('/live', { schema: { hide: true } }, (_request, reply) => reply.sendFile('live.html'));
}
