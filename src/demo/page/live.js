const BACKOFF_MS = { first: 500, most: 15_000 };
/** Close codes 4400–4499 say "stay away", but for these two, which say "later". */
const COME_BACK = new Set([4408, 4429]);

/**
 * Keeps a socket open to `/v1/live`, subscribed to channels, and hands on their frames, each once and in order: after a cut it goes on from
 * the last frame that came, or is told the channel's state anew. The close code decides: stay away, or come back after the pause that the
 * engine asks for, else one that doubles each time, with jitter so that a restarted engine is not met by all pages at once.
 * @param channels e.g. `['user:web-1', 'room:show']`
 * @param onFrame called with each frame that is not the connection's own business
 * @param onState called with 'connecting', 'live', 'waiting' or 'closed'
 * @returns `{send(frame), close()}`; what is sent while there is no connection is lost
 */
export function connectLive({ anonymousId, channels, onFrame, onState }) {
  /** Channel → `{epoch, offset}` of the last frame. */
  const positions = new Map();
  let socket;
  let timer;
  let attempts = 0;
  let isOver = false;

  const send = (frame) => { if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame)); };
  const own = {
    ready: () => {
      attempts = 0;
      onState('live');
      for (const channel of channels) send({ type: 'subscribe', channel, ...positions.get(channel) });
    },
    ping: () => send({ type: 'pong' }),
  };

  function receive(frame) {
    const { type, channel, epoch, offset } = frame;
    if (own[type] !== undefined) own[type]();
    else if (isNew(frame)) {
      if (epoch !== undefined) positions.set(channel, { epoch, offset });
      onFrame(frame);
    }
  }

  /** State frames carry the place of the last frame before them, and the answer to a subscription says where the channel stands. */
  function isNew({ type, channel, epoch, offset }) {
    const last = positions.get(channel);
    return epoch === undefined || type === 'stats' || type === 'subscribed' || last?.epoch !== epoch || offset > last.offset;
  }

  function open() {
    onState('connecting');
    socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/v1/live`);
    socket.addEventListener('open', () => send({ type: 'auth', anonymousId }));
    socket.addEventListener('message', ({ data }) => receive(JSON.parse(data)));
    socket.addEventListener('close', ({ code, reason }) => {
      if (isOver) return;
      if (code >= 4400 && code < 4500 && !COME_BACK.has(code)) {
        onState('closed');
        return;
      }
      onState('waiting');
      timer = setTimeout(open, retryAfterOf(reason) ?? Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** attempts++) * (0.5 + Math.random()));
    });
  }

  open();
  return {
    send,
    close() {
      isOver = true;
      clearTimeout(timer);
      socket.close(1000);
    },
  };
}

/** @returns the pause that a close frame asks for, ms */
function retryAfterOf(reason) {
  try {
    return JSON.parse(reason).retryAfterMs;
  } catch {
    return undefined;
  }
}
