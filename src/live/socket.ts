import websocket from '@fastify/websocket';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { isLoopback } from '../config.js';
import { AppError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import type { Random } from '../util/random.js';
import { LiveConnection } from './connection.js';
import type { LiveHub } from './hub.js';
import type { LiveLimits } from './limits.js';
import { isOriginAllowed, type OriginRule } from './origin.js';
import { LiveSession, type LiveServices } from './session.js';

export interface LiveSocketOptions {
  readonly hub: LiveHub;
  readonly services: LiveServices;
  readonly origins: OriginRule;
  readonly limits: LiveLimits;
  readonly clock: Clock;
  readonly random: Random;
  /** Told of each socket that opened (+1) or closed (−1, with its close code). */
  readonly onCount?: (change: 1 | -1, code?: number) => void;
}

/** `GET /v1/live`: the socket. Closing the server drains it: no new sockets, and each one told when to come back. */
export async function liveSocket(app: FastifyInstance, options: LiveSocketOptions): Promise<void> {
  const { hub, limits, clock } = options;
  const connections = new Map<LiveConnection, LiveSession>();
  const addresses = new AddressCounts();
  let isDraining = false;

  await app.register(websocket, {
    // Compression costs each socket ten times the memory and doubles the CPU of a message.
    options: {
      maxPayload: limits.frameBytesMax, perMessageDeflate: false, clientTracking: false,
      // We speak none; without this the first one asked for would be agreed to, whatever it is.
      handleProtocols: () => false,
    },
    errorHandler: (error, socket, request) => {
      request.log.debug({ err: error }, 'socket fault');
      if (socket.readyState === socket.CONNECTING) socket.terminate();
    },
    preClose: async () => {
      isDraining = true;
      await drain(connections, options);
      clearInterval(sweep);
      hub.close();
    },
  });

  app.route({
    method: 'GET',
    url: '/v1/live',
    schema: {
      summary: 'Open the socket',
      description: 'Upgrade to WebSocket. The first frame is `auth`; then `subscribe`, `events`, `recommendations`. See the README for the frames.',
      tags: ['live'],
      // Nothing belongs into this address, least of all a token: addresses are logged on the way.
      querystring: Type.Object({}, { additionalProperties: false }),
    },
    preValidation: (request, _reply, done) => {
      done(refusal(request));
    },
    wsHandler: (socket, request) => {
      const { ip, raw: { socket: stream } } = request;
      addresses.count(ip, 1);
      const connection = new LiveConnection(socket, {
        limits, clock, stream,
        onFrame: (text) => session.handle(text),
        onClosed: (code) => {
          connections.delete(connection);
          addresses.count(ip, -1);
          session.end();
          options.onCount?.(-1, code);
        },
      });
      const session = new LiveSession({ hub, services: options.services, limits, clock, connection });
      connections.set(connection, session);
      options.onCount?.(1);
    },
    handler: () => {
      throw new AppError('invalid_request', 'This is a WebSocket; connect with ws:// or wss://.');
    },
  });

  const look = (): void => {
    const now = clock();
    for (const [connection, session] of connections) {
      session.beat(now);
      connection.beat(now);
    }
  };
  // After whatever has arrived was read: if this process was held up, that is not the clients' silence.
  const sweep = setInterval(() => { setImmediate(look); }, limits.sweepEveryMs);
  sweep.unref();

  function refusal({ headers, ws: isUpgrade, ip }: FastifyRequest): AppError | undefined {
    if (!isUpgrade) return undefined;
    if (isDraining) return new AppError('shutting_down', 'This process is shutting down; connect again in a moment.');
    if (!isOriginAllowed(options.origins, headers.origin, headers.host)) {
      return new AppError('forbidden', 'Pages of this origin may not connect; see CORS_ORIGINS.');
    }
    if (connections.size >= limits.socketsMax) return new AppError('overloaded', 'This process has as many sockets as it may; connect again in a while.');
    if (limits.socketsPerIpMax > 0 && addresses.of(ip) >= limits.socketsPerIpMax) {
      return new AppError('rate_limited', 'This address has as many sockets as it may (SOCKETS_PER_IP_MAX); connect again in a while.');
    }
    return undefined;
  }
}

/** Sockets of each address. Loopback is not counted: behind it is a proxy, or a test, and never a crowd of its own. */
class AddressCounts {
  readonly #counts = new Map<string, number>();

  of(ip: string): number {
    return this.#counts.get(ip) ?? 0;
  }

  count(ip: string, change: 1 | -1): void {
    if (isLoopback(ip.replace(/^::ffff:/u, ''))) return;
    const count = this.of(ip) + change;
    if (count === 0) this.#counts.delete(ip);
    else this.#counts.set(ip, count);
  }
}

/**
 * Says goodbye to one after the other and waits until all are gone. At an even pace, so that whoever serves them next is
 * not met by all at once, while each of them is away but for a moment.
 */
async function drain(connections: ReadonlyMap<LiveConnection, LiveSession>, { limits, random }: LiveSocketOptions): Promise<void> {
  const goodbye = new AppError('shutting_down', 'This process is shutting down; connect again after retryAfterMs.');
  const everyMs = Math.min(limits.leaveEveryMs, limits.leaveMs / connections.size);
  const leaving: Promise<void>[] = [];
  const startedAt = performance.now();
  for (const connection of connections.keys()) {
    const aheadMs = startedAt + leaving.length * everyMs - performance.now();
    if (aheadMs > 0) await pause(aheadMs);
    leaving.push(connection.drain(goodbye, Math.round(random() * limits.comeBackMs)));
  }
  const deadline = performance.now() + 2 * limits.closeGraceMs;
  await Promise.race([Promise.all(leaving), pause(limits.closeGraceMs)]);
  while (connections.size > 0 && performance.now() < deadline) await pause(20);
  for (const connection of connections.keys()) connection.terminate();
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms).unref(); });
