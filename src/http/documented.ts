import type { FastifySchema, RouteOptions } from 'fastify';

/** A reply without a schema of its own: what it has is in the README, by example. */
const DONE = { type: 'null', description: 'Done, or what was asked for; 201: made, 202: not certain yet, 204: without a body' } as const;
const REFUSED = {
  type: 'object', description: 'Why not',
  required: ['code', 'message', 'statusCode'],
  properties: { code: { type: 'string', description: 'Of the table of errors in the README' }, message: { type: 'string' }, statusCode: { type: 'integer' } },
} as const;

/** @returns what the documentation says of a route: beside its own words whose key it takes, and how it answers */
export function documented({ schema, url, route }: { readonly schema: FastifySchema; readonly url: string; readonly route: RouteOptions }): { schema: FastifySchema; url: string } {
  const own = schema as FastifySchema & { readonly description?: string } | undefined;
  const scope = route.config?.scope;
  const response = { ...own?.response ?? { '2xx': DONE }, '4xx': REFUSED, '5xx': REFUSED };
  const words = [own?.description, scope === undefined ? undefined : `Where keys are configured: one of the scope \`${[scope].flat().join('` or `')}\`.`].filter((text) => text !== undefined);
  return { url, schema: { ...own, response, ...(words.length === 0 ? {} : { description: words.join(' ') }), ...(scope === undefined ? {} : { security: [{ key: [] }] }) } as FastifySchema };
}
