const BACKOFF_MS = { first: 500, most: 15_000 };
/** Close codes 4400–4499 say "stay away", but for these two, which say "later". */
const COME_BACK = new Set([4408, 4429]);

/**
 * Keeps a socket open to `/v1/live` and hands on offers. The close code decides: stay away, or come back after a pause
 * that doubles each time, with jitter so that a restarted engine is not met by all pages at once, or that the engine asked for; then it goes
 * on where it stood.
 * @param onOffer called with each offer
 * @param onState called with 'connecting', 'live', 'waiting' or 'closed'
 * @returns a function that closes it for good
 */
export function connectLive({ anonymousId, onOffer, onState }) {
  let socket;
  let timer;
  let attempts = 0;
  let isOver = false;
  /** The place of the last frame: what comes after it is sent again. */
  let position = {};

  const send = (frame) => socket.send(JSON.stringify(frame));
  const handlers = {
    ready: () => {
      attempts = 0;
      onState('live');
      send({ type: 'subscribe', channel: `user:${anonymousId}`, ...position });
    },
    subscribed: ({ epoch, offset, state }) => {
      position = { epoch, offset };
      for (const offer of state?.offers ?? []) onOffer(offer);
    },
    offer: ({ epoch, offset, offer }) => {
      position = { epoch, offset };
      onOffer(offer);
      send({ type: 'ack', messageIds: [offer.id] });
    },
    ping: () => send({ type: 'pong' }),
  };

  function open() {
    onState('connecting');
    socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/v1/live`);
    socket.addEventListener('open', () => send({ type: 'auth', anonymousId }));
    socket.addEventListener('message', ({ data }) => {
      const frame = JSON.parse(data);
      handlers[frame.type]?.(frame);
    });
    socket.addEventListener('close', ({ code, reason }) => {
      if (isOver) return;
      if (code >= 4400 && code < 4500 && !COME_BACK.has(code)) {
        onState('closed');
        return;
      }
      const pause = askedFor(reason) ?? Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** attempts++) * (0.5 + Math.random());
      onState('waiting');
      timer = setTimeout(open, pause);
    });
  }

  open();
  return () => {
    isOver = true;
    clearTimeout(timer);
    socket.close(1000);
  };
}

/** The pause in the reason of a close frame, `{"code", "resume"?, "retryAfterMs"?}`; a lost connection has none. */
function askedFor(reason) {
  return reason.startsWith('{') ? JSON.parse(reason).retryAfterMs : undefined;
}
