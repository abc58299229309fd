import { WebSocket } from 'ws';
import { seededRandom, type Random } from '../src/util/random.js';
import { latencyOf, makeHistogram, record, type Latency } from './latency.js';
import { pace } from './pace.js';
import { itemId, shopperId } from './workloads.js';

/** Events sent on sockets that subscribe to recommendations, at even intervals over all of them. */
export interface SocketPlan {
  readonly kind: 'socket';
  readonly url: string;
  readonly items: number;
  readonly run: string;
  readonly seed: number;
  readonly sockets: number;
  /** Events a second over all sockets. */
  readonly rate: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
}

export interface SocketResult {
  /** From when the event was due to its acknowledgement: in the profile and in the stream. */
  readonly ack: Latency;
  /** … and to the pushed list that knows it, the stated pause in which the engine gathers events included. */
  readonly push: Latency;
  readonly events: number;
  readonly errors: number;
  readonly error: string | undefined;
}

/** Time that late frames get after the last event, ms. */
const DRAIN_MS = 5000;

interface Frame { readonly type: string; readonly replyTo?: string; readonly message?: string; readonly accepted?: number }

interface Line {
  readonly socket: WebSocket;
  /** When the events without acknowledgement, and without a list, were due. */
  readonly unacknowledged: Map<string, number>;
  unlisted: number[];
}

export class SocketLoad {
  readonly #plan: SocketPlan;
  readonly #random: Random;
  readonly #acks = makeHistogram();
  readonly #pushes = makeHistogram();
  #from = 0;
  #events = 0;
  #errors = 0;
  #error: string | undefined;

  constructor(plan: SocketPlan) {
    this.#plan = plan;
    this.#random = seededRandom(plan.seed);
  }

  async run(): Promise<SocketResult> {
    const { rate, seconds, warmupSeconds, sockets } = this.#plan;
    const lines = await Promise.all(Array.from({ length: sockets }, (_, index) => this.#connect(index)));
    const startedAt = performance.now();
    this.#from = startedAt + warmupSeconds * 1000;
    const total = Math.floor((warmupSeconds + seconds) * rate);
    await pace({ startedAt, rate, total }, (index, dueAt) => { this.#send(lines[index % lines.length]!, dueAt, index); });
    const deadline = performance.now() + DRAIN_MS;
    const isWaiting = (line: Line): boolean => line.unacknowledged.size > 0 || line.unlisted.length > 0;
    while (lines.some(isWaiting) && performance.now() < deadline) await new Promise((resolve) => { setTimeout(resolve, 5); });
    for (const line of lines) {
      if (isWaiting(line)) this.#fail('an event was not acknowledged, or no list followed it');
      line.socket.removeAllListeners('close');
      line.socket.terminate();
    }
    return { ack: latencyOf(this.#acks), push: latencyOf(this.#pushes), events: this.#events, errors: this.#errors, error: this.#error };
  }

  async #connect(index: number): Promise<Line> {
    const socket = new WebSocket(`${this.#plan.url.replace(/^http/u, 'ws')}/v1/live`, { perMessageDeflate: false });
    const line: Line = { socket, unacknowledged: new Map(), unlisted: [] };
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => { socket.send(JSON.stringify({ type: 'auth', userId: shopperId(index) })); });
      socket.once('error', reject);
      socket.on('message', (data: Buffer) => {
        const frame = parse(data);
        if (frame.type === 'ready') socket.send('{"type":"subscribe","channel":"recommendations","scene":"home","limit":20}');
        else if (frame.type === 'subscribed') resolve();
        else this.#receive(line, frame);
      });
    });
    socket.on('close', (code) => { this.#fail(`closed with ${code}`); });
    return line;
  }

  #send(line: Line, dueAt: number, index: number): void {
    const id = `${this.#plan.run}-${index}`;
    line.unacknowledged.set(id, dueAt);
    line.unlisted.push(dueAt);
    this.#events += 1;
    line.socket.send(`{"type":"events","id":"${id}","events":[{"id":"${id}","type":"view_item","itemId":"${itemId(Math.floor(this.#random() * this.#plan.items))}"}]}`);
  }

  #receive(line: Line, frame: Frame): void {
    const now = performance.now();
    if (frame.type === 'ping') line.socket.send('{"type":"pong"}');
    else if (frame.type === 'error') this.#fail(frame.message ?? 'error frame');
    else if (frame.type === 'ack') {
      const dueAt = line.unacknowledged.get(frame.replyTo ?? '');
      line.unacknowledged.delete(frame.replyTo ?? '');
      if (frame.accepted !== 1) this.#fail('an event was not accepted');
      if (dueAt !== undefined && dueAt >= this.#from) record(this.#acks, now - dueAt);
    } else if (frame.type === 'recommendations' && line.unacknowledged.size === 0) {
      for (const dueAt of line.unlisted) if (dueAt >= this.#from) record(this.#pushes, now - dueAt);
      line.unlisted = [];
    }
  }

  #fail(error: string): void {
    this.#errors += 1;
    this.#error ??= error;
  }
}

/** A list's frame is long and only its type matters. */
const parse = (data: Buffer): Frame => (data.subarray(0, 40).includes('"recommendations"') ? { type: 'recommendations' } : JSON.parse(data.toString()) as Frame);
