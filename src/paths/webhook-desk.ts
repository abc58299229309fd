import { WEBHOOK_EVENTS, WEBHOOK_LIMITS, type DeadDelivery, type Webhook, type WebhookInput } from '../domain/webhook.js';
import { AppError } from '../errors.js';
import type { DeadPosition, WebhookStore } from '../redis/webhook-store.js';
import { checkUrl } from '../webhooks/address.js';
import { secretOf } from '../webhooks/sign.js';

const SECRET_BYTES = 32;

export interface WebhookDeskDeps {
  readonly store: WebhookStore;
  readonly allowsLoopback: boolean;
  readonly randomBytes: (count: number) => Buffer;
  /** Tries a delivery again; asked twice for the same death it is tried once. */
  readonly replay: (webhook: string, dead: DeadDelivery) => Promise<void>;
}

/** What of an endpoint is shown: all but its secret. */
export type ShownWebhook = Omit<Webhook, 'secret'>;

/** What operators do to webhooks. */
export class WebhookDesk {
  readonly #deps: WebhookDeskDeps;

  constructor(deps: WebhookDeskDeps) {
    this.#deps = deps;
  }

  async list(): Promise<ShownWebhook[]> {
    return (await this.#deps.store.all()).map(show);
  }

  async get(id: string): Promise<ShownWebhook> {
    return show(await this.#read(id));
  }

  /**
   * @returns the endpoint, and the secret where it was made here: it is not told again
   * @throws AppError `invalid_request` for an address that webhooks never go to, `conflict` when there are too many
   */
  async put(id: string, { url, events, secret: given }: WebhookInput): Promise<{ webhook: ShownWebhook; secret?: string }> {
    const { store, allowsLoopback, randomBytes } = this.#deps;
    checkUrl(url, allowsLoopback);
    const there = await store.all();
    const known = there.find((one) => one.id === id);
    if (known === undefined && there.length >= WEBHOOK_LIMITS.endpointsMax) throw new AppError('conflict', `There are ${WEBHOOK_LIMITS.endpointsMax} webhooks already; delete some.`);
    const secret = given ?? known?.secret ?? secretOf(randomBytes(SECRET_BYTES));
    const webhook: Webhook = { id, url, events: events ?? [...WEBHOOK_EVENTS], secret };
    await store.put(webhook);
    return { webhook: show(webhook), ...(secret === given || secret === known?.secret ? {} : { secret }) };
  }

  /** With its dead deliveries. @throws AppError `not_found` */
  async remove(id: string): Promise<void> {
    if (!await this.#deps.store.remove(id)) throw notFound(id);
  }

  /** A page of what could not be delivered, the latest first; `cursor` is undefined on the last one. */
  async dead(id: string, cursor: string | undefined, limit: number): Promise<{ deliveries: DeadDelivery[]; cursor?: string }> {
    await this.#read(id);
    const deliveries = await this.#deps.store.dead(id, cursor === undefined ? undefined : positionOf(cursor), limit);
    const last = deliveries.at(-1);
    return last === undefined || deliveries.length < limit ? { deliveries } : { deliveries, cursor: `${last.at}-${last.messageId}` };
  }

  /** Tries one again, or all. @returns how many @throws AppError `not_found` */
  async replay(id: string, messageId?: string): Promise<number> {
    const { store } = this.#deps;
    await this.#read(id);
    let count = 0;
    for (;;) {
      const one = messageId === undefined ? undefined : await store.deadOne(id, messageId);
      if (messageId !== undefined && one === undefined) throw new AppError('not_found', `Webhook ${id} has no dead delivery ${messageId}.`);
      const page = one === undefined ? await store.dead(id, undefined, WEBHOOK_LIMITS.deadPerPageMax) : [one];
      // Added before it is forgotten: a crash in between adds it again, and then it is the same job.
      for (const dead of page) await this.#deps.replay(id, dead);
      await store.unearth(id, page.map((dead) => dead.messageId));
      count += page.length;
      if (one !== undefined || page.length < WEBHOOK_LIMITS.deadPerPageMax) return count;
    }
  }

  async #read(id: string): Promise<Webhook> {
    const webhook = await this.#deps.store.read(id);
    if (webhook === undefined) throw notFound(id);
    return webhook;
  }
}

function positionOf(cursor: string): DeadPosition {
  const end = cursor.indexOf('-');
  return { at: Number(cursor.slice(0, end)), messageId: cursor.slice(end + 1) };
}

const show = ({ secret: _secret, ...shown }: Webhook): ShownWebhook => shown;
const notFound = (id: string): AppError => new AppError('not_found', `There is no webhook ${id}.`);
