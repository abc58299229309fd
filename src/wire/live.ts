import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { SCOPES, type Config } from '../config.js';
import { keyBook } from '../http/auth.js';
import { authentication } from '../live/authentication.js';
import { ChannelStates } from '../live/channel-states.js';
import { Guests } from '../live/guests.js';
import { LiveHub } from '../live/hub.js';
import { LIVE_LIMITS } from '../live/limits.js';
import type { LiveServices } from '../live/services.js';
import { liveSocket } from '../live/socket.js';
import { liveStream } from '../live/sse.js';
import { tokenVerifier } from '../live/token.js';
import type { Metrics } from '../metrics.js';
import type { Inbox } from '../paths/inbox.js';
import type { EventIngestor } from '../paths/ingest-events.js';
import { liveChannels } from '../paths/live-channels.js';
import type { RecommendationService } from '../paths/recommendation-service.js';
import { ChannelLog, roomChannel } from '../redis/channel-log.js';
import type { RedisClient } from '../redis/client.js';
import type { Keys } from '../redis/keys.js';
import { ShardSubscriber } from '../redis/shard-subscriber.js';
import type { Clock } from '../util/clock.js';
import type { WiredInteraction } from './interaction.js';
import type { WiredRooms } from './rooms.js';

export interface LiveParts {
  readonly config: Config;
  readonly log: Logger;
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly metrics: Metrics;
  readonly ingestor: EventIngestor;
  readonly service: RecommendationService;
  readonly inbox: Inbox;
  readonly rooms: WiredRooms;
  readonly interaction: WiredInteraction;
  readonly clock: Clock;
}

/** The socket, over the same paths as HTTP. @returns who listens on it */
export async function wireLive(app: FastifyInstance, { config, log, redis, keys, metrics, ingestor, service, inbox, rooms, interaction, clock }: LiveParts): Promise<LiveHub> {
  const isOpen = config.apiKeys.size === 0 && config.jwt === undefined;
  const scopesOf = keyBook(config.apiKeys);
  const everything = new Set(SCOPES);
  const onFault = (error: unknown): void => { log.error({ err: error }, 'socket'); };
  const hub = new LiveHub({ subscriber: (listener) => new ShardSubscriber(redis, listener), logs: new ChannelLog(redis, clock), limits: LIVE_LIMITS, onFault });
  const { channels, reader } = liveChannels({ keys, ...rooms, pulses: interaction.pulses, inbox, clock });
  hub.watchRooms(interaction.hooks);
  // Who came in while everybody might is not to stay where only the invited may.
  rooms.book.watch(({ id, access }) => { if (access === 'invited') void hub.recheck(roomChannel(keys, id)); });
  const limits = { ...LIVE_LIMITS, socketsPerIpMax: config.socketsPerIpMax, leaveMs: Math.min(LIVE_LIMITS.leaveMs, config.drainMs / 2) };
  const guests = new Guests({ origins: { allowed: config.corsOrigins, isOpen }, limits, clock, random: Math.random });
  const services: LiveServices = {
    ingest: (events) => ingestor.ingest(events),
    recommend: (input) => service.recommend(input),
    interact: interaction.interact,
    acknowledge: (shopper, messageIds) => inbox.acknowledge(shopper, messageIds),
    authenticate: authentication({
      scopesOf: (token) => (isOpen ? everything : scopesOf(token)),
      verify: config.jwt === undefined ? undefined : tokenVerifier(config.jwt, clock),
    }),
    channels, states: new ChannelStates(reader, clock), onFault,
  };
  await app.register(liveSocket, { hub, services, guests, limits, clock });
  await app.register(liveStream, { hub, services, guests, limits, clock });
  app.addHook('onClose', () => { hub.close(); });
  metrics.gauge('rivulet_sockets', 'Sockets and streams open', () => guests.count);
  metrics.gauge('rivulet_socket_shoppers', 'Shoppers with a socket, by process', () => hub.shoppers);
  metrics.gauge('rivulet_socket_channels', 'Channels that sockets listen to, by process', () => hub.channels);
  return hub;
}
