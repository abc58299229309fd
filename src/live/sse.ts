import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { EVENT_LIMITS } from '../domain/event.js';
import { form } from '../domain/form.js';
import type { Clock } from '../util/clock.js';
import { Type, type Static } from '../util/type.js';
import { requireScope } from './authentication.js';
import { channelOf } from './channels.js';
import { EventStream } from './event-stream.js';
import type { Guests } from './guests.js';
import type { LiveHub } from './hub.js';
import { LIVE_LIMITS, type LiveLimits } from './limits.js';
import { placesIn } from './places.js';
import type { LiveServices } from './services.js';

export interface LiveStreamOptions {
  readonly hub: LiveHub;
  readonly services: Pick<LiveServices, 'authenticate' | 'channels' | 'states' | 'onFault'>;
  readonly guests: Guests;
  readonly limits: LiveLimits;
  readonly clock: Clock;
}

const ChannelName = form('^(user|room):', 'user:<id> or room:<id>', { maxLength: 'user:'.length + EVENT_LIMITS.idBytesMax });
const ShopperId = Type.Optional(Type.String({ minLength: 1, maxLength: EVENT_LIMITS.idBytesMax }));
/** A token is not among them: addresses are logged on the way. */
const Query = Type.Object({
  channel: Type.Union([ChannelName, Type.Array(ChannelName, { minItems: 1, maxItems: LIVE_LIMITS.channelsMax, uniqueItems: true })]),
  userId: ShopperId,
  anonymousId: ShopperId,
}, { additionalProperties: false });

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  // nginx and its kin would collect events until a buffer is full.
  'x-accel-buffering': 'no',
} as const;

/** `GET /v1/live/sse`: what a socket hears, for where sockets are blocked. */
export async function liveStream(app: FastifyInstance, options: LiveStreamOptions): Promise<void> {
  const { hub, services, guests, limits, clock } = options;
  app.addHook('preClose', () => guests.close());
  app.get<{ Querystring: Static<typeof Query> }>('/v1/live/sse', {
    exposeHeadRoute: false,
    schema: {
      summary: 'Listen without a socket',
      description: 'Server-sent events: the frames of the channels, as over the socket. `Last-Event-ID` resumes.',
      tags: ['live'],
      querystring: Query,
    },
    preValidation: (request, _reply, done) => { done(guests.refusal(request)); },
  }, async (request, reply) => {
    const { channel, ...ids } = request.query;
    const identity = await services.authenticate({ token: presentedToken(request), ...ids });
    requireScope(identity, 'recommend');
    const channels = await Promise.all([channel].flat().map((name) => channelOf(services.channels, name, identity)));
    const response = takeOver(reply);
    // Gone while it was asked who it is.
    if (response.destroyed) return;
    const stream = new EventStream({ response, identity, hub, states: services.states, channels: services.channels, limits, clock, onFault: services.onFault });
    guests.enter(stream, request.ip);
    response.once('close', () => {
      guests.leave(stream, request.ip);
      stream.left();
    });
    await stream.begin(channels, placesIn(lastEventId(request)));
  });
}

/** From here on the reply is a stream, with the headers that others have set, those of CORS for one. */
function takeOver(reply: FastifyReply): FastifyReply['raw'] {
  const headers = reply.getHeaders();
  reply.hijack();
  reply.raw.writeHead(200, { ...headers as Record<string, string>, ...HEADERS });
  return reply.raw;
}

function presentedToken({ headers }: FastifyRequest): string | undefined {
  const key = headers['x-api-key'];
  if (typeof key === 'string') return key;
  return headers.authorization?.startsWith('Bearer ') === true ? headers.authorization.slice('Bearer '.length) : undefined;
}

function lastEventId({ headers }: FastifyRequest): string | undefined {
  const id = headers['last-event-id'];
  return typeof id === 'string' ? id : undefined;
}
