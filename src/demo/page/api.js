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
  async function call(name, path, body, method = body === undefined ? 'GET' : 'POST') {
    const startedAt = performance.now();
    let ok = false;
    try {
      const reply = await fetch(path, {
        method,
        ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
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
  };
}
