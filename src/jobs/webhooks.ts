import type { Delivery, OfferMessage } from '../domain/offer-message.js';
import { shopperIds } from '../domain/shopper.js';
import type { DeadDelivery, Webhook, WebhookEvent } from '../domain/webhook.js';
import type { WebhookStore } from '../redis/webhook-store.js';
import type { Clock } from '../util/clock.js';
import type { WebhookSender } from '../webhooks/send-webhook.js';
import type { JobRegistry, Processors } from './registry.js';
import { fieldOf, type Fields, type StreamHandler } from './streams.js';

export const WEBHOOK_JOB_LIMITS = {
  /** Tries of a delivery, and the pause after the first, which doubles: the last comes after three hours. */
  attempts: 12, backoffMs: 5000,
  errorCharsMax: 500,
} as const;

export const WEBHOOK = 'webhook';

/** Data of the job. */
export interface WebhookJob {
  readonly webhook: string;
  readonly messageId: string;
  readonly event: WebhookEvent;
  readonly shopper: string;
  readonly body: string;
}

/** One entry of a partition's stream of deliveries. */
export interface DeliveryEntry {
  readonly partition: number;
  readonly id: string;
  readonly delivery: Delivery;
}

/** @returns undefined for an entry that is no delivery */
export function parseDelivery(partition: number, id: string, fields: Fields): DeliveryEntry | undefined {
  const [shopper, message, listening] = ['s', 'm', 'n'].map((name) => fieldOf(fields, name)?.toString());
  if (shopper === undefined || message === undefined) return undefined;
  try {
    return { partition, id, delivery: { shopper, message: JSON.parse(message) as OfferMessage, isPushed: Number(listening) > 0 } };
  } catch {
    return undefined;
  }
}

/** Behind what was sent: a job for each message and endpoint. Repeating it adds no second one. */
export class WebhookOutbox implements StreamHandler<DeliveryEntry> {
  readonly name = 'webhooks';
  readonly #store: Pick<WebhookStore, 'all'>;
  readonly #addJob: JobRegistry['add'];

  constructor(store: Pick<WebhookStore, 'all'>, addJob: JobRegistry['add']) {
    this.#store = store;
    this.#addJob = addJob;
  }

  async handle(entries: readonly DeliveryEntry[]): Promise<void> {
    const webhooks = await this.#store.all();
    if (webhooks.length === 0) return;
    for (const { delivery } of entries) {
      const job = jobOf(delivery);
      await Promise.all(webhooks.filter(({ events }) => events.includes(job.event)).map(({ id }) => addWebhookJob(this.#addJob, { ...job, webhook: id })));
    }
  }
}

/** @param again tells a replay from the first time */
export async function addWebhookJob(addJob: JobRegistry['add'], job: WebhookJob, again = ''): Promise<void> {
  const { attempts, backoffMs } = WEBHOOK_JOB_LIMITS;
  await addJob(WEBHOOK, job, { jobId: `${job.webhook} ${job.messageId} ${job.shopper}${again}`, attempts, backoffMs });
}

/** The body is made once, so that every try and every replay is the same. */
function jobOf({ shopper, message, isPushed }: Delivery): Omit<WebhookJob, 'webhook'> {
  const event: WebhookEvent = isPushed ? 'message.pushed' : 'message.kept';
  return { messageId: message.id, event, shopper, body: JSON.stringify({ type: event, timestamp: message.createdAt, data: { ...shopperIds(shopper), message } }) };
}

export interface WebhookJobsDeps {
  readonly store: Pick<WebhookStore, 'read' | 'bury'>;
  readonly sender: Pick<WebhookSender, 'send'>;
  /** Who has no profile has been erased: what waits for them goes nowhere. */
  readonly profiles: { readHead(shopper: string): Promise<Buffer | null> };
  readonly clock: Clock;
  readonly onOutcome: (webhook: string, outcome: 'delivered' | 'failed' | 'dead') => void;
}

/** Hands messages to endpoints; what fails is tried again, and in the end kept for an operator. */
export function webhookJobs({ store, sender, profiles, clock, onOutcome }: WebhookJobsDeps): Processors {
  return {
    [WEBHOOK]: async (data, signal, isLastTry) => {
      const job = data as WebhookJob;
      const webhook: Webhook | undefined = await store.read(job.webhook);
      if (webhook === undefined || await profiles.readHead(job.shopper) === null) return;
      try {
        await sender.send(webhook, job, signal);
      } catch (error) {
        onOutcome(job.webhook, isLastTry ? 'dead' : 'failed');
        if (!isLastTry) throw error;
        await store.bury(job.webhook, deadOf(job, error, clock()));
        return;
      }
      onOutcome(job.webhook, 'delivered');
    },
  };
}

function deadOf({ messageId, event, shopper, body }: WebhookJob, error: unknown, at: number): DeadDelivery {
  const said = error instanceof Error ? error.message : String(error);
  return { messageId, event, shopper, body, error: said.slice(0, WEBHOOK_JOB_LIMITS.errorCharsMax), at };
}
