import { WebSocket } from 'ws';
import { connectRedis, untilReady } from '../src/redis/client.js';
import { latencyOf, makeHistogram, record, type Latency } from './latency.js';
import { pace } from './pace.js';
import { shopperId } from './workloads.js';

/** Events on sockets that subscribe to their shopper's channel, each of which a campaign answers at once; between them bare messages through Redis. */
export interface PushPlan {
  readonly kind: 'push';
  readonly url: string;
  readonly redisUrl: string;
  readonly run: string;
  readonly sockets: number;
  /** Events a second over all sockets, and as many bare messages. */
  readonly rate: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

export interface PushResult {
  /** From when a message was due to be published to when a subscriber in the same process has it. */
  readonly hop: Latency;
  /** From when an event was due to be sent to the frame of the offer that it brings. */
  readonly offer: Latency;
  readonly errors: number;
  readonly error: string | undefined;
}

/** Time that late frames get after the last event, ms. */
const DRAIN_MS = 5000;
const CHANNEL = 'bench-hop';

interface Frame { readonly type: string; readonly message?: string; readonly accepted?: number }

export class PushLoad {
  readonly #plan: PushPlan;
  readonly #hops = makeHistogram();
  readonly #offers = makeHistogram();
  #from = 0;
  #errors = 0;
  #error: string | undefined;

  constructor(plan: PushPlan) {
    this.#plan = plan;
  }

  async run(): Promise<PushResult> {
    const { rate, seconds, warmupSeconds, sockets } = this.#plan;
    const hop = await this.#openHop();
    const lines = await Promise.all(Array.from({ length: sockets }, (_, index) => this.#connect(index)));
    const startedAt = performance.now();
    this.#from = startedAt + warmupSeconds * 1000;
    // Event, message, event, message…: both in the same moments of the machine.
    await pace({ startedAt, rate: 2 * rate, total: 2 * Math.floor((warmupSeconds + seconds) * rate) }, (index, dueAt) => {
      if (index % 2 === 1) hop.publish(dueAt);
      else this.#send(lines[(index / 2) % lines.length]!, dueAt, index);
    });
    const deadline = performance.now() + DRAIN_MS;
    while (lines.some(({ waiting }) => waiting.length > 0) && performance.now() < deadline) await new Promise((resolve) => { setTimeout(resolve, 5); });
    for (const { socket, waiting } of lines) {
      if (waiting.length > 0) this.#fail('an event brought no offer');
      socket.removeAllListeners('close');
      socket.terminate();
    }
    hop.close();
    return { hop: latencyOf(this.#hops), offer: latencyOf(this.#offers), errors: this.#errors, error: this.#error };
  }

  async #openHop(): Promise<{ publish: (dueAt: number) => void; close: () => void }> {
    const [publisher, subscriber] = ['publish', 'subscribe'].map((name) => connectRedis(this.#plan.redisUrl, 'commands', { timeoutMs: 10_000, name: `bench-${name}` }));
    await Promise.all([untilReady(publisher!, 10_000), untilReady(subscriber!, 10_000)]);
    await subscriber!.ssubscribe(CHANNEL);
    subscriber!.on('smessage', (_channel: string, text: string) => { this.#note(this.#hops, Number(text)); });
    return {
      publish: (dueAt) => { publisher!.spublish(CHANNEL, String(dueAt)).catch(() => { this.#fail('a message was not published'); }); },
      close: () => { for (const connection of [publisher!, subscriber!]) connection.disconnect(); },
    };
  }

  async #connect(index: number): Promise<{ socket: WebSocket; waiting: number[] }> {
    const socket = new WebSocket(`${this.#plan.url.replace(/^http/u, 'ws')}/v1/live`, { perMessageDeflate: false });
    /** When the events without an offer were due. */
    const waiting: number[] = [];
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => { socket.send(JSON.stringify({ type: 'auth', userId: shopperId(index) })); });
      socket.once('error', reject);
      let isSubscribed = false;
      socket.on('message', (data: Buffer) => {
        const frame = JSON.parse(data.toString()) as Frame;
        if (frame.type === 'ready') socket.send(JSON.stringify({ type: 'subscribe', channel: `user:${shopperId(index)}` }));
        else if (frame.type === 'subscribed') {
          isSubscribed = true;
          resolve();
        } else if (frame.type === 'ping') socket.send('{"type":"pong"}');
        else if (frame.type === 'error') this.#fail(frame.message ?? 'error frame');
        else if (frame.type === 'ack' && frame.accepted !== 1) this.#fail('an event was not accepted');
        else if (frame.type === 'offer' && isSubscribed && waiting.length > 0) this.#note(this.#offers, waiting.shift()!);
      });
    });
    socket.on('close', (code) => { this.#fail(`closed with ${code}`); });
    return { socket, waiting };
  }

  #send({ socket, waiting }: { socket: WebSocket; waiting: number[] }, dueAt: number, index: number): void {
    waiting.push(dueAt);
    socket.send(`{"type":"events","events":[{"id":"${this.#plan.run}-${index}","type":"send_gift"}]}`);
  }

  #note(histogram: ReturnType<typeof makeHistogram>, dueAt: number): void {
    if (dueAt >= this.#from) record(histogram, performance.now() - dueAt);
  }

  #fail(error: string): void {
    this.#errors += 1;
    this.#error ??= error;
  }
}
