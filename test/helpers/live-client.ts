import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket, type ClientOptions } from 'ws';

/** A frame from the server; what is not there reads as undefined. */
export interface Frame {
  readonly type: string;
  readonly replyTo?: string;
  readonly code?: string;
  readonly message?: string;
  readonly channel?: string;
  readonly retryAfterMs?: number;
  readonly expiresInMs?: number;
  readonly accepted?: number;
  readonly duplicates?: number;
  readonly rejected?: readonly { index: number; code: string; message: string }[];
  readonly offer?: { id: string; kind: string; cause: string; title: string; itemId?: string; price?: { was: number; now: number } };
  readonly items?: readonly { id: string }[];
  readonly epoch?: string;
  readonly offset?: number;
  readonly recovered?: boolean;
  readonly state?: { readonly offers?: readonly { id: string; isRead?: true }[]; readonly room?: { id: string; status: string }; readonly cues?: readonly unknown[] };
  readonly messageIds?: readonly string[];
  readonly n?: number;
}

const WAIT_MS_MAX = 30_000;

/** A socket client that keeps every frame until it is asked for. */
export class LiveClient {
  readonly socket: WebSocket;
  readonly frames: Frame[] = [];
  /** Close code and reason, once closed. */
  closed: { code: number; reason: string } | undefined;
  /** `user:<id>` of the shopper it speaks for. */
  channel = '';
  #wake: () => void = () => { /* nobody waits */ };

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(`${url.replace(/^http/u, 'ws')}/v1/live`, options);
    this.socket.on('message', (data: Buffer) => {
      this.frames.push(JSON.parse(data.toString()) as Frame);
      this.#wake();
    });
    this.socket.on('error', () => { /* a test looks at the close */ });
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.#wake();
    });
  }

  /** Connected and authenticated. */
  static async open(url: string, ids: { userId: string } | { anonymousId: string }, { token, ...options }: ClientOptions & { token?: string } = {}): Promise<LiveClient> {
    const client = new LiveClient(url, options);
    await once(client.socket, 'open');
    client.channel = `user:${'userId' in ids ? ids.userId : ids.anonymousId}`;
    client.send({ type: 'auth', token, ...ids });
    await client.next('ready');
    return client;
  }

  send(frame: unknown): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** The reply to a frame. */
  async ask(frame: { type: string; [field: string]: unknown }): Promise<Frame> {
    const id = `q${Math.random()}`;
    this.send({ ...frame, id });
    return this.#take((reply) => reply.replyTo === id);
  }

  /** Subscribes to the shopper's own channel, or to another; goes on from a place where one is given. */
  listen({ channel = this.channel, after }: { channel?: string; after?: { epoch?: string; offset?: number } } = {}): Promise<Frame> {
    return this.ask({ type: 'subscribe', channel, ...after === undefined ? {} : { epoch: after.epoch, offset: after.offset } });
  }

  /** The next frame of a type, passing over none of the others. */
  next(type: string): Promise<Frame> {
    return this.#take((frame) => frame.type === type);
  }

  /** Frames of a type that come within a time, ms. */
  async during(ms: number, type: string): Promise<Frame[]> {
    await pause(ms);
    return this.frames.filter((frame) => frame.type === type);
  }

  async untilClosed(): Promise<{ code: number; reason: string }> {
    await this.#until(() => this.closed !== undefined, 'the close');
    return this.closed!;
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.untilClosed();
  }

  async #take(isWanted: (frame: Frame) => boolean): Promise<Frame> {
    let index = -1;
    await this.#until(() => (index = this.frames.findIndex(isWanted)) >= 0, 'a frame');
    return this.frames.splice(index, 1)[0]!;
  }

  async #until(isSo: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + WAIT_MS_MAX;
    while (!isSo()) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`waited for ${what}; frames: ${JSON.stringify(this.frames)}, closed: ${JSON.stringify(this.closed)}`);
      await Promise.race([new Promise<void>((resolve) => { this.#wake = resolve; }), pause(Math.min(left, 200), undefined, { ref: false })]);
    }
  }
}
