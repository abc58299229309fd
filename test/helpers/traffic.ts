import { setTimeout as pause } from 'node:timers/promises';

/** A shopper's pause before the next request, ms: the machine is to be left some time. */
const EACH_MS = 10;

/** One answer to a ranking that traffic asked for. */
export interface Ranked {
  /** ms since 1970 when it was asked for, and when the answer was there. */
  readonly askedAt: number;
  readonly at: number;
  readonly status: number;
  readonly degraded: readonly string[];
  readonly count: number;
}

/**
 * Shoppers at work while something breaks: rankings asked for one after another, and events each sent until it is
 * acknowledged, with the same id. Until `stop`.
 */
export class Traffic {
  readonly ranked: Ranked[] = [];
  /** Faults of the connection itself: refused, reset. */
  readonly broken: string[] = [];
  /** Events sent per shopper, all of them acknowledged once `stop` has returned. */
  readonly sent = new Map<string, number>();
  readonly eventStatuses = new Map<number, number>();
  #stopped = false;
  readonly #running: Promise<void>[];

  constructor(readonly url: string, options: { readers: number; writers: number; scene?: string; items: number; name?: string }) {
    const { name = 'w' } = options;
    this.#running = [
      ...Array.from({ length: options.readers }, (_, i) => this.#read(i, options.scene ?? 'home', name)),
      ...Array.from({ length: options.writers }, (_, i) => this.#write(`${name}${i}`, options.items)),
    ];
  }

  /** Events acknowledged so far. */
  get events(): number {
    return [...this.sent.values()].reduce((sum, sent) => sum + sent, 0);
  }

  /** Ends the traffic; events under way are sent until they are acknowledged. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  /**
   * Waits until so many lists in a row, of those to come, are as wanted. The bound is no bar: it ends a wait for what
   * will never be. @returns when the first of the row was there, ms since 1970
   */
  async untilRow(length: number, isWanted: (one: Ranked) => boolean, ms = 45_000): Promise<number> {
    const deadline = Date.now() + ms;
    let from = this.ranked.length;
    for (let next = from; ; next++) {
      while (next === this.ranked.length) {
        if (Date.now() > deadline) throw new Error(`no ${length} lists in a row as wanted within ${ms} ms; the last: ${JSON.stringify(this.ranked.slice(-5))}`);
        await pause(10);
      }
      if (!isWanted(this.ranked[next]!)) from = next + 1;
      else if (next - from + 1 === length) return this.ranked[from]!.at;
    }
  }

  async #read(reader: number, scene: string, name: string): Promise<void> {
    for (let n = 0; !this.#stopped; n++) {
      const askedAt = Date.now();
      try {
        const response = await post(`${this.url}/v1/recommendations`, { userId: `${name}${(reader + n) % 8}`, scene, limit: 10 });
        const body = await response.json() as { items?: unknown[]; degraded?: string[] };
        this.ranked.push({ askedAt, at: Date.now(), status: response.status, degraded: body.degraded ?? [], count: body.items?.length ?? 0 });
      } catch (error) {
        this.broken.push(String(error instanceof Error && error.cause !== undefined ? error.cause : error));
        await pause(20);
      }
      await pause(EACH_MS);
    }
  }

  async #write(shopper: string, items: number): Promise<void> {
    for (let n = 0; !this.#stopped; n++) {
      const event = { id: `${shopper}-${n}`, type: 'view_item', userId: shopper, itemId: `sku-${n % items}` };
      while (!await this.#taken(event)) await pause(25);
      this.sent.set(shopper, n + 1);
      await pause(EACH_MS);
    }
  }

  async #taken(event: object): Promise<boolean> {
    try {
      const response = await post(`${this.url}/v1/events`, { events: [event] });
      this.eventStatuses.set(response.status, (this.eventStatuses.get(response.status) ?? 0) + 1);
      if (!response.ok) {
        await response.arrayBuffer();
        return false;
      }
      const report = await response.json() as { accepted: number; duplicates: number };
      return report.accepted + report.duplicates === 1;
    } catch {
      return false;
    }
  }
}

export function post(url: string, body: unknown): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

/** Puts `count` items and waits until they are ranked. */
export async function putItems(url: string, count: number): Promise<void> {
  const items = Array.from({ length: count }, (_, n) => ({
    id: `sku-${n}`, title: `Item ${n}`, category: [`root-${n % 4}`, `leaf-${n % 12}`], brand: `brand-${n % 7}`, price: 5 + n, stock: 9,
  }));
  await (await post(`${url}/v1/items`, { items })).arrayBuffer();
  const until = Date.now() + 30_000;
  for (;;) {
    const reply = await (await post(`${url}/v1/recommendations`, { scene: 'search', itemIds: [`sku-${count - 1}`] })).json() as { items: unknown[] };
    if (reply.items.length === 1) return;
    if (Date.now() > until) throw new Error('the items did not arrive');
    await pause(20);
  }
}
