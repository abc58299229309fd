import type { FastifyInstance } from 'fastify';
import { AppError } from '../errors.js';

const PROMETHEUS_TEXT = 'text/plain; version=0.0.4; charset=utf-8';

export interface Health {
  /** What is not ready, in words; empty when all is. */
  readonly missing: () => Promise<string[]>;
  /** For people: versions, sizes. */
  readonly facts: () => Record<string, unknown>;
  /** Text for Prometheus. */
  readonly metrics: () => Promise<string>;
}

export function healthRoutes(app: FastifyInstance, health: Health): void {
  app.get('/health/live', { schema: { summary: 'The process runs', tags: ['operations'] } }, () => ({ status: 'ok' }));
  app.get('/health/ready', { schema: { summary: 'The engine can serve', tags: ['operations'] } }, async () => {
    const missing = await health.missing();
    if (missing.length > 0) throw new AppError('overloaded', `Not ready: ${missing.join('; ')}.`);
    return { status: 'ready', ...health.facts() };
  });
  app.get('/metrics', { config: { scope: 'admin' }, schema: { summary: 'Prometheus metrics', tags: ['operations'] } }, async (_request, reply) => {
    return reply.type(PROMETHEUS_TEXT).send(await health.metrics());
  });
}
