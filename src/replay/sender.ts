import { EVENT_LIMITS, type EventInput } from '../domain/event.js';
import type { Item } from '../domain/item.js';
import { shopperKey } from '../domain/shopper.js';
import { AppError, ERROR_CATALOGUE } from '../errors.js';
import { hash32 } from '../util/hash.js';
import { backoffMs, pause } from '../util/pause.js';

export const SENDER_LIMITS = {
  /** Events in one request. */
  batch: EVENT_LIMITS.batchMax,
  /** Events that may wait in a lane before reading stops. */
  waitingMax: 4 * EVENT_LIMITS.batchMax,
  /** A request without a reply by then is sent again, ms. */
  requestMs: 30_000,
  /** Pause before a retry: doubles from … to …, ms. */
  retryFromMs: 100,
  retryToMs: 5000,
  /** An engine that takes nothing for so long ends the replay, ms. */
  patienceMs: 300_000,
  /** Items in one request. */
  items: 5000,
  /** Time for items to become visible, ms. */
  visibleMs: 30_000,
  /** After the first instance shows a change the others have this long, ms. */
  everywhereMs: 1000,
} as const;

export interface SendReport {
  accepted: number;
  duplicates: number;
  rejected: number;
  retries: number;
  /** Messages of rejections with how often each came; the first few. */
  readonly reasons: Map<string, number>;
}

export interface SenderOptions {
  readonly url: string;
  readonly apiKey: string | undefined;
  /** Requests under way at once. */
  readonly concurrency: number;
  /** Told how many events have been answered for. */
  readonly onSent: (events: number) => void;
}

const REASONS_MAX = 20;

interface Lane {
  waiting: EventInput[];
  sending: Promise<void> | undefined;
}

interface Rejected { readonly index: number; readonly code: string; readonly message: string }
interface Reply { readonly accepted: number; readonly duplicates: number; readonly rejected: readonly Rejected[] }

/**
 * Sends events over HTTP, a shopper always by the same lane and each lane one request at a time, so that a shopper's
 * events arrive in the order of the log. What was not taken for certain is sent again: the ids make that safe.
 */
export class Sender {
  readonly report: SendReport = { accepted: 0, duplicates: 0, rejected: 0, retries: 0, reasons: new Map() };
  readonly #options: SenderOptions;
  readonly #lanes: Lane[];
  #failure: unknown;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#lanes = Array.from({ length: options.concurrency }, () => ({ waiting: [], sending: undefined }));
  }

  /** Puts the items, and returns when recommendations know them. */
  async putItems(items: readonly Item[]): Promise<void> {
    for (let from = 0; from < items.length; from += SENDER_LIMITS.items) {
      const report = await this.#post('/v1/items', { items: items.slice(from, from + SENDER_LIMITS.items) }) as { rejected: Rejected[] };
      for (const { message } of report.rejected) this.#count(`item: ${message}`);
    }
    const last = items.at(-1);
    if (last === undefined) return;
    const deadline = Date.now() + SENDER_LIMITS.visibleMs;
    for (;;) {
      const list = await this.#post('/v1/recommendations', { anonymousId: 'replay', scene: 'search', itemIds: [last.id] }) as { items: unknown[] };
      if (list.items.length > 0) break;
      if (Date.now() > deadline) throw new AppError('internal', `Items are not visible ${SENDER_LIMITS.visibleMs} ms after they were put.`);
      await pause(50);
    }
    await pause(SENDER_LIMITS.everywhereMs);
  }

  /** Takes an event; resolves when the next may come. */
  async push(event: EventInput): Promise<void> {
    const lane = this.#lanes[hash32(shopperKey(event) ?? '') % this.#lanes.length]!;
    lane.waiting.push(event);
    if (lane.waiting.length >= SENDER_LIMITS.batch) this.#start(lane);
    while (lane.waiting.length >= SENDER_LIMITS.waitingMax && lane.sending !== undefined) await lane.sending;
    this.#throwFailure();
  }

  /** Sends what waits; resolves when everything is answered for. */
  async finish(): Promise<void> {
    for (const lane of this.#lanes) if (lane.waiting.length > 0) this.#start(lane);
    for (const lane of this.#lanes) {
      while (lane.waiting.length > 0 || lane.sending !== undefined) {
        this.#start(lane);
        await lane.sending;
        this.#throwFailure();
      }
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Sends a lane's batches one after another while whole ones wait; the rest goes with the next start. */
  #start(lane: Lane): void {
    lane.sending ??= (async () => {
      do await this.#send(lane.waiting.splice(0, SENDER_LIMITS.batch));
      while (lane.waiting.length >= SENDER_LIMITS.batch);
    })().catch((error: unknown) => {
      this.#failure ??= error;
      lane.waiting = [];
    }).finally(() => { lane.sending = undefined; });
  }

  /** @param events of one lane, until each is answered for */
  async #send(events: EventInput[]): Promise<void> {
    const giveUpAt = Date.now() + SENDER_LIMITS.patienceMs;
    let rest = events;
    for (let failures = 0; rest.length > 0;) {
      const { accepted, duplicates, rejected } = await this.#post('/v1/events', { events: rest }) as Reply;
      this.report.accepted += accepted;
      this.report.duplicates += duplicates;
      const again = rejected.filter(({ code }) => isRetryable(code));
      for (const { code, message } of rejected) {
        if (isRetryable(code)) continue;
        this.report.rejected += 1;
        this.#count(message);
      }
      this.#options.onSent(rest.length - again.length);
      // All of a shopper's events in a batch share one fate, so sending them again keeps their order.
      rest = again.map(({ index }) => rest[index]!);
      if (rest.length === 0) break;
      if (Date.now() > giveUpAt) throw new AppError('store_unavailable', `${rest.length} events were not taken: ${again[0]!.message}`);
      this.report.retries += 1;
      await pause(backoffMs(++failures, SENDER_LIMITS.retryFromMs, SENDER_LIMITS.retryToMs));
    }
  }

  /** Posts until there is an answer other than "later". @returns the reply's body */
  async #post(path: string, body: unknown): Promise<unknown> {
    const { url, apiKey } = this.#options;
    const giveUpAt = Date.now() + SENDER_LIMITS.patienceMs;
    const request = {
      method: 'POST', body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }) },
    };
    for (let failures = 1; ; failures++) {
      let trouble: string;
      try {
        const reply = await fetch(`${url}${path}`, { ...request, signal: AbortSignal.timeout(SENDER_LIMITS.requestMs) });
        const answer: unknown = await reply.json();
        if (reply.ok) return answer;
        trouble = messageOf(answer) ?? `status ${reply.status}`;
        if (reply.status !== 429 && reply.status < 500) throw new AppError('invalid_request', `${path} was refused: ${trouble}`);
      } catch (error) {
        if (error instanceof AppError) throw error;
        trouble = error instanceof Error ? error.message : String(error);
      }
      if (Date.now() > giveUpAt) throw new AppError('store_unavailable', `${url} takes nothing: ${trouble}`);
      this.report.retries += 1;
      await pause(backoffMs(failures, SENDER_LIMITS.retryFromMs, SENDER_LIMITS.retryToMs));
    }
  }

  #count(reason: string): void {
    const { reasons } = this.report;
    if (reasons.has(reason) || reasons.size < REASONS_MAX) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
}

const isRetryable = (code: string): boolean => code in ERROR_CATALOGUE && ERROR_CATALOGUE[code as keyof typeof ERROR_CATALOGUE].retryable;

function messageOf(answer: unknown): string | undefined {
  return typeof answer === 'object' && answer !== null && 'message' in answer && typeof answer.message === 'string' ? answer.message : undefined;
}
