import websocket from '@fastify/websocket';
import type { FastifyInstance } from 'fastify';
import { AppError } from '../errors.js';
import type { Clock } from '../util/clock.js';
import { Type } from '../util/type.js';
import { LiveConnection } from './connection.js';
import type { Guest, Guests } from './guests.js';
import type { LiveHub } from './hub.js';
import type { LiveLimits } from './limits.js';
import type { LiveServices } from './services.js';
import { LiveSession } from './session.js';

export interface LiveSocketOptions {
  readonly hub: LiveHub;
  readonly services: LiveServices;
  readonly guests: Guests;
  readonly limits: LiveLimits;
  readonly clock: Clock;
}

/** `GET /v1/live`: the socket. Closing the server drains it: no new sockets, and each one told when to come back. */
export async function liveSocket(app: FastifyInstance, { hub, services, guests, limits, clock }: LiveSocketOptions): Promise<void> {
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
    preClose: () => guests.close(),
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
      done(request.ws ? guests.refusal(request) : undefined);
    },
    wsHandler: (socket, { ip, raw: { socket: stream } }) => {
      const connection = new LiveConnection(socket, {
        limits, clock, stream,
        onFrame: (text) => session.handle(text),
        onClosed: () => {
          guests.leave(guest, ip);
          session.end();
        },
      });
      const session = new LiveSession({ hub, services, limits, clock, connection });
      const guest: Guest = {
        beat: (now) => {
          session.beat(now);
          connection.beat(now);
        },
        drain: (error, retryAfterMs) => connection.drain(error, retryAfterMs),
        terminate: () => { connection.terminate(); },
      };
      guests.enter(guest, ip);
    },
    handler: () => {
      throw new AppError('invalid_request', 'This is a WebSocket; connect with ws:// or wss://.');
    },
  });
}
