import { once } from 'node:events';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import sensible from '@fastify/sensible';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import underPressure from '@fastify/under-pressure';
import Fastify, { LogController, type ConnectionError, type FastifyInstance, type FastifyPluginAsync, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { AppError } from '../errors.js';
import { makeChecker } from '../util/schema-fault.js';
import type { TSchema } from '../util/type.js';
import { limitRequests, requireScope, type RequestLimiter } from './auth.js';
import { documented } from './documented.js';
import { forMethod, toAppError, unreadable } from './errors.js';
import { parseJson } from './json.js';

const SERVER_LIMITS = {
  /** A 256-byte id, percent-encoded, with room. */
  paramCharsMax: 1024,
  requestTimeoutMs: 60_000,
  keepAliveMs: 72_000,
  /** Delay of the event loop from which on new work is refused, recommendations excepted, ms. */
  eventLoopDelayMaxMs: 2000,
  /** A body that is too large is read on for so long before its refusal. */
  refusedBodyMs: 2000,
} as const;

/**
 * A Fastify server with the house's validation, errors, security headers and documentation, and no routes yet.
 * @param requests how many are taken of whom; undefined: any number
 */
export async function makeServer(config: Config, log: Logger, requests?: RequestLimiter): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: config.bodyBytesMax,
    requestTimeout: SERVER_LIMITS.requestTimeoutMs,
    keepAliveTimeout: SERVER_LIMITS.keepAliveMs,
    routerOptions: { maxParamLength: SERVER_LIMITS.paramCharsMax },
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      const told = toAppError(error);
      void reply.status(told.statusCode).send(told.toJSON());
    },
    clientErrorHandler: refuseUnreadable,
    // While draining, requests on open connections are still served; the load balancer sees /health/ready fail.
    return503OnClosing: false,
  }) as unknown as FastifyInstance;
  // Before whatever may answer by itself.
  app.addHook('onRequest', endUpgrades);
  app.setValidatorCompiler<TSchema>(({ schema, httpPart }) => {
    const checker = makeChecker(schema, httpPart ?? 'request');
    return (value: unknown) => (checker.check(value) ? { value } : { error: new AppError('invalid_request', checker.fault(value)) });
  });
  app.setErrorHandler(async (thrown, request, reply) => {
    const error = forMethod(toAppError(thrown), request.method);
    if (error.code === 'payload_too_large') await restOf(request.raw);
    if (error.statusCode >= 500) {
      request.log.error({ err: thrown, code: error.code }, 'request failed');
      // The log has it as `reqId`.
      void reply.header('x-request-id', request.id);
    }
    if (error.retryAfterS !== undefined) void reply.header('retry-after', String(error.retryAfterS));
    else if (error.retryable && error.statusCode === 503) void reply.header('retry-after', '1');
    return reply.status(error.statusCode).send(error.toJSON());
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new AppError('not_found', `There is no ${request.method} ${request.url.split('?')[0]!.slice(0, 200)}; /docs lists what there is.`);
    return reply.status(404).send(error.toJSON());
  });
  // Not Fastify's own: it does not say where the fault is, and takes plain text, which any page of any origin may send.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    // Many clients name the type with every request: where no body is asked for, an empty one is none.
    const isNone = body.length === 0 && request.routeOptions.schema?.body === undefined;
    try {
      done(null, isNone ? undefined : parseJson(body as string, 'body'));
    } catch (error) {
      done(error as AppError);
    }
  });
  app.addContentTypeParser(['application/x-ndjson', 'application/ndjson'], { parseAs: 'string', bodyLimit: config.ndjsonBytesMax }, (_request, body, done) => {
    done(null, body);
  });
  app.addHook('preValidation', (request, _reply, done) => { done(unaskedBody(request)); });
  await app.register(sensible);
  if (config.corsOrigins.length > 0) await app.register(cors, { origin: [...config.corsOrigins] });
  if (requests !== undefined) app.addHook('onRequest', limitRequests(requests));
  await app.register(underPressure, {
    maxEventLoopDelay: SERVER_LIMITS.eventLoopDelayMaxMs,
    pressureHandler: (request) => {
      // A ranking has its own ladder and never answers 5xx; health must stay readable.
      if (request.url.startsWith('/v1/recommendations') || request.url.startsWith('/health/')) return;
      throw new AppError('overloaded', 'The engine is behind with its work; send this again in a moment.');
    },
  });
  if (config.apiKeys.size > 0) app.addHook('onRequest', requireScope(config.apiKeys));
  // Nothing of an API's JSON is ever to be taken for a page.
  app.addHook('onRequest', (_request, reply, done) => {
    void reply.header('x-content-type-options', 'nosniff');
    done();
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Rivulet', description: 'Real-time personalization: events in, rankings and offers out.', version: '0.1.0' },
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    },
    transform: documented,
    // `Event` and `Item`, as descriptions call them, instead of a number.
    refResolver: { buildLocalReference: ({ $id }, _base, _fragment, i) => (typeof $id === 'string' ? $id : `def-${i}`) },
  });
  return app;
}

/** @returns why a body is refused where none is asked for: what it says (an amount to refund, say) would be dropped silently */
function unaskedBody({ body, method, routeOptions }: FastifyRequest): AppError | undefined {
  if (body === undefined || body === null || routeOptions.schema?.body !== undefined) return undefined;
  if (typeof body === 'object' && Object.keys(body).length === 0) return undefined;
  return new AppError('invalid_request', `${method} ${routeOptions.url ?? ''} takes no body; leave it out.`);
}

/** Before there is a request there is no reply: it is written to the connection, as Node does it, which then ends. */
function refuseUnreadable({ code }: ConnectionError, socket: Socket): void {
  if (code === 'ECONNRESET' || socket.destroyed) return;
  const error = unreadable(code);
  const body = JSON.stringify(error);
  if (socket.writable) {
    socket.write(`HTTP/1.1 ${error.statusCode} ${STATUS_CODES[error.statusCode]}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
  }
  socket.destroy();
}

/** Reads a refused body on, for a while: a connection that ends with bytes unread takes the reply along, and the client sees but a broken pipe. */
async function restOf(request: FastifyRequest['raw']): Promise<void> {
  if (request.complete || request.destroyed) return;
  request.resume();
  await once(request, 'close', { signal: AbortSignal.timeout(SERVER_LIMITS.refusedBodyMs) }).catch(() => { /* It has had its while. */ });
}

/**
 * A request that asks for another protocol (`Upgrade`, as some clients do of habit with `h2c`) gets its answer and then
 * the end of its connection: Node has stopped reading from it, so it would stand for ever, and a proxy that believed
 * in the upgrade could be used to send us what it would not let through. The socket takes its connection over instead.
 */
function endUpgrades(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  if ('upgrade' in request.raw && request.raw.upgrade === true) {
    void reply.header('connection', 'close');
    reply.raw.once('finish', () => request.raw.socket.end());
  }
  done();
}

/** The routes that a browser shows, with the headers that pages need; an API reply would only carry them around. */
export async function pageRoutes(app: FastifyInstance, pages: readonly FastifyPluginAsync[]): Promise<void> {
  await app.register(async (scope) => {
    await scope.register(helmet, { contentSecurityPolicy: { directives: { upgradeInsecureRequests: null, connectSrc: ["'self'", 'ws:', 'wss:'] } } });
    await scope.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
    for (const page of pages) await scope.register(page);
  });
}
