import { Pool } from 'undici';
import type { OfferInput } from '../../src/domain/offer.js';
import { pause } from '../../src/util/pause.js';
import type { Act, Answer } from './history.js';

const CLIENT_LIMITS = {
  /** Without an answer by then a client gives up, ms: longer than the engine waits for Redis. */
  answerMs: 5000,
  /** An operator's request is sent again after …, for at most …, ms. */
  againMs: 100,
  patienceMs: 60_000,
} as const;

export interface Request {
  readonly act: Act;
  readonly offer: string;
  readonly key?: string;
  readonly userId?: string;
  readonly deviceId?: string;
  readonly claim?: string;
  readonly spentMinor?: number;
}

/** An answer, and whether the claim is a new one (201). */
export type Told = Omit<Answer, 'op' | 'at'> & { readonly isNew?: boolean };

/** One api process as its clients see it; it may be gone, and come back at another address. */
export class ApiClient {
  readonly #connections: number;
  #pool: Pool;

  constructor(url: string, connections: number) {
    this.#connections = connections;
    this.#pool = this.#open(url);
  }

  async moveTo(url: string): Promise<void> {
    const before = this.#pool;
    this.#pool = this.#open(url);
    await before.destroy();
  }

  stop(): Promise<void> {
    return this.#pool.destroy();
  }

  /** Never rejects: an answer that does not come is `unknown`. */
  async send({ act, offer, key, userId, deviceId, claim, spentMinor }: Request): Promise<Told> {
    const path = act === 'claim' ? `/v1/offers/${offer}/claims` : `/v1/claims/${claim}/${act}`;
    const body = act === 'claim' ? { userId, deviceId } : act === 'redeem' ? { spentMinor } : undefined;
    try {
      const { status, reply } = await this.#post(path, body, key);
      if (status === 200 || status === 201) return { type: 'ok', claim: (reply as { claim: { id: string } }).claim.id, isNew: status === 201 };
      const code = (reply as { code?: string }).code ?? String(status);
      return { type: status >= 400 && status < 500 ? 'fail' : 'unknown', reason: code };
    } catch (error) {
      return { type: 'unknown', reason: error instanceof Error && 'code' in error ? String(error.code) : String(error) };
    }
  }

  /** Drafts and activates an offer, however often that takes. @throws what is wrong with it, or that nobody answers */
  async launch(offer: OfferInput): Promise<void> {
    for (const [path, body, done] of [['/v1/offers', offer, 201], [`/v1/offers/${offer.id}/activate`, undefined, 200]] as const) {
      const deadline = performance.now() + CLIENT_LIMITS.patienceMs;
      for (;;) {
        const { status, reply } = await this.#post(path, body).catch((error: unknown) => ({ status: 0, reply: String(error) }));
        if (status === done || (status === 409 && body === undefined)) break;
        if ((status >= 400 && status < 500) || performance.now() > deadline) throw new Error(`${path} of ${offer.id}: ${status} ${JSON.stringify(reply)}`);
        await pause(CLIENT_LIMITS.againMs);
      }
    }
  }

  #open(url: string): Pool {
    return new Pool(url, { connections: this.#connections, pipelining: 1, headersTimeout: CLIENT_LIMITS.answerMs, bodyTimeout: CLIENT_LIMITS.answerMs, connect: { timeout: CLIENT_LIMITS.answerMs } });
  }

  async #post(path: string, body: object | undefined, key?: string): Promise<{ status: number; reply: unknown }> {
    const { statusCode, body: reply } = await this.#pool.request({
      method: 'POST', path,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...(key === undefined ? {} : { 'idempotency-key': key }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: statusCode, reply: await reply.json() };
  }
}
