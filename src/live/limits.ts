/** Limits of the socket; nothing about it is unbounded. A test may tighten them. */
export const LIVE_LIMITS = {
  /** Bytes of one frame from a client. */
  frameBytesMax: 64 * 1024,
  /** Frames a client may send in a minute, evenly or at once. */
  framesPerMinuteMax: 600,
  /** Frames of one socket taken but not yet answered; beyond that nothing more is read from it. */
  framesPendingMax: 16,
  /** Frames that make no sense before the socket is closed. */
  badFramesMax: 20,
  /** Time to authenticate, ms. */
  authMs: 5000,
  /** So long before its token expires a client is told, ms. */
  tokenWarningMs: 30_000,
  /** Time for Redis to confirm a subscription, ms. */
  subscribeMs: 5000,
  /** Frames and bytes that may wait for a slow client. */
  outboxFramesMax: 512,
  outboxBytesMax: 2 * 1024 * 1024,
  /** So long after a frame it is asked whether frames arrive, ms: the system takes many before it has to wait … */
  probeAfterMs: 2000,
  /** … and no answer in this time, or nothing of a waiting outbox that got through, is too slow, ms. With the goodbye it is over within 10 s. */
  stalledMs: 4000,
  /** A ping this often, ms … */
  pingEveryMs: 25_000,
  /** … and no sign of life this long after one ends the socket, ms. */
  pongWithinMs: 10_000,
  /** How often each socket is looked at, ms, and in how many steps all of them are. */
  sweepEveryMs: 500, sweepSteps: 20,
  /** Time a closing socket gets for its goodbye, and one that does not read, ms. */
  closeGraceMs: 3000,
  slowGraceMs: 1000,
  socketsMax: 20_000,
  /** Sockets of one address in one process, 0 for any number; loopback is not counted. */
  socketsPerIpMax: 1000,
  /** Sockets of one shopper in one process; a newer one takes the place of the oldest. */
  socketsPerShopperMax: 16,
  /** Channels of one socket that have a log. */
  channelsMax: 10,
  /** Fresh recommendations follow the shopper's events after this pause, in which more may come, ms … */
  refreshAfterMs: 10,
  /** … and not more often than this, ms. */
  refreshEveryMs: 250,
  /** At shutdown sockets are closed at an even pace, so many ms apart … */
  leaveEveryMs: 5,
  /** … but all of them within this, ms; until then they are served. */
  leaveMs: 8000,
  /** Each is asked to come back within this, ms. */
  comeBackMs: 1000,
  /** A browser whose stream was ended for good would come back at once; it is asked to wait so long, ms. */
  stayAwayMs: 300_000,
} as const;

export type LiveLimits = { readonly [Name in keyof typeof LIVE_LIMITS]: number };
