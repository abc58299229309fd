import { Agent, request } from 'undici';
import type { Webhook } from '../domain/webhook.js';
import type { Clock } from '../util/clock.js';
import { checkUrl, guardedLookup } from './address.js';
import { signatureHeaders } from './sign.js';

const SEND_LIMITS = {
  connectMs: 3000,
  /** From the connection to the end of the reply, ms. */
  replyMs: 5000,
  /** Of a reply, which nobody reads, bytes. */
  replyBytesMax: 16_384,
  connectionsPerHost: 4,
} as const;

/** What is handed over: the same at every try. */
export interface WebhookCall {
  readonly messageId: string;
  readonly body: string;
}

/** Hands signed messages to endpoints. Redirects are not followed, private addresses not connected to. */
export class WebhookSender {
  readonly #agent: Agent;
  readonly #allowsLoopback: boolean;
  readonly #clock: Clock;

  constructor({ allowsLoopback, clock }: { allowsLoopback: boolean; clock: Clock }) {
    this.#allowsLoopback = allowsLoopback;
    this.#clock = clock;
    this.#agent = new Agent({
      connect: { lookup: guardedLookup(allowsLoopback), timeout: SEND_LIMITS.connectMs },
      headersTimeout: SEND_LIMITS.replyMs, bodyTimeout: SEND_LIMITS.replyMs, maxResponseSize: SEND_LIMITS.replyBytesMax, connections: SEND_LIMITS.connectionsPerHost, pipelining: 1,
    });
  }

  /** @throws Error unless the endpoint took it (2xx) */
  async send({ url: text, secret }: Pick<Webhook, 'url' | 'secret'>, { messageId, body }: WebhookCall, signal: AbortSignal): Promise<void> {
    // Again: an address in numbers is never looked up, and what was allowed when it was saved may no longer be.
    const url = checkUrl(text, this.#allowsLoopback);
    const headers = signatureHeaders({ id: messageId, timestampS: Math.floor(this.#clock() / 1000), body }, secret);
    const reply = await request(url, {
      method: 'POST', dispatcher: this.#agent, body, signal: AbortSignal.any([signal, AbortSignal.timeout(SEND_LIMITS.connectMs + SEND_LIMITS.replyMs)]),
      headers: { 'content-type': 'application/json', 'user-agent': 'Rivulet', ...headers },
    });
    await reply.body.dump();
    if (reply.statusCode < 200 || reply.statusCode >= 300) throw new Error(`the endpoint answered ${reply.statusCode}`);
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
