/** While a claim's fate is unknown (202) the same key is sent again, so often and after such a pause. */
const CLAIM_TRIES = 5;
const CLAIM_RETRY_MS = 1000;

/** What the engine answered when it did not do as asked. */
export class ApiError extends Error {
  constructor({ code = 'unreachable', message = 'The engine cannot be reached.', statusCode = 0 } = {}) {
    super(message);
    this.code = code;
    this.statusCode = statusCode;
  }
}

/**
 * The engine's HTTP interface as the page uses it. Every call is timed, from sending to the parsed reply.
 * @param onCall told of each call: `{name, ms, ok}`
 */
export function createApi(onCall) {
  async function call(name, path, body, headers = {}) {
    const startedAt = performance.now();
    let ok = false;
    try {
      const reply = await fetch(path, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const answer = reply.status === 204 ? undefined : await reply.json();
      if (!reply.ok) throw new ApiError(answer);
      ok = true;
      return answer;
    } catch (error) {
      throw error instanceof ApiError ? error : new ApiError();
    } finally {
      onCall({ name, ms: performance.now() - startedAt, ok });
    }
  }

  const user = (id, what) => `/v1/users/${encodeURIComponent(id)}/${what}?kind=anonymous`;
  return {
    recommend: (request) => call('recommend', '/v1/recommendations', { ...request, withItems: true }),
    items: (limit, cursor) => call('items', `/v1/items?limit=${limit}${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`),
    item: (id) => call('item', `/v1/items/${encodeURIComponent(id)}`),
    portrait: (id) => call('portrait', user(id, 'portrait')),
    features: (id) => call('features', user(id, 'features')),
    growth: (id) => call('growth', user(id, 'growth')),
    decide: (request) => call('decide', '/v1/decisions', { ...request, explain: true }),
    offers: async () => (await call('offers', '/v1/offers?status=active&limit=200')).offers,
    offer: async (id) => (await call('offer', `/v1/offers/${encodeURIComponent(id)}`)).offer,
    wallet: async (id) => (await call('wallet', user(id, 'wallet'))).claims,
    validate: (request) => call('validate', '/v1/offers/validate', request),
    rooms: async () => (await call('rooms', '/v1/rooms?status=live')).rooms,
    cue: (roomId, key, cue) => call('cue', `/v1/rooms/${encodeURIComponent(roomId)}/cues`, cue, { 'idempotency-key': key }),
    cueOf: (roomId, number) => call('cue of', `/v1/rooms/${encodeURIComponent(roomId)}/cues/${number}`),
    insights: (roomId) => call('insights', `/v1/rooms/${encodeURIComponent(roomId)}/insights`),
    redeem: (claimId, spentMinor) => call('redeem', `/v1/claims/${encodeURIComponent(claimId)}/redeem`, { spentMinor }),
    /** Claims once, however often it has to ask: an answer that got lost is asked for by the same key. */
    async claim(offerId, key, who) {
      for (let tries = 1; ; tries++) {
        const { claim } = await call('claim', `/v1/offers/${encodeURIComponent(offerId)}/claims`, who, { 'idempotency-key': key });
        if (claim !== undefined) return claim;
        if (tries === CLAIM_TRIES) throw new ApiError({ code: 'pending', message: 'The store has not answered yet; ask once more.' });
        await new Promise((resolve) => { setTimeout(resolve, CLAIM_RETRY_MS); });
      }
    },
  };
}
