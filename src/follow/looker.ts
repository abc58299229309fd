import type { Logger } from 'pino';
import { connectRedis, type RedisClient } from '../redis/client.js';
import { backoffMs, pause } from '../util/pause.js';

const LOOKER_LIMITS = {
  /** Between looks, ms; a notice makes it at once. */
  everyMs: 1000,
  retryFromMs: 100,
  retryToMs: 5000,
} as const;

export interface LookerOptions {
  readonly url: string;
  /** Pub/sub channel on which changes are told. */
  readonly notices: string;
  /** What is followed, in the plural: for the log and the connection's name. */
  readonly what: string;
  readonly look: () => Promise<void>;
  readonly log: Logger;
  readonly everyMs?: number | undefined;
}

/** Looks at something in Redis again and again, at once after a notice, and patiently while Redis is away. */
export class Looker {
  readonly #options: LookerOptions;
  readonly #subscriber: RedisClient;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #wake = new AbortController();
  /** Resolves after the first look. */
  readonly ready: Promise<void>;
  #markReady: () => void = () => { /* Set below. */ };

  constructor(options: LookerOptions) {
    this.#options = options;
    this.ready = new Promise((resolve) => { this.#markReady = resolve; });
    this.#subscriber = connectRedis(options.url, 'listening', { timeoutMs: 0, name: `rivulet-${options.what}` });
    this.#subscriber.on('message', () => { this.#wake.abort(); });
    // Notices were missed while the connection was away.
    this.#subscriber.on('ready', () => { this.#wake.abort(); });
    this.#subscriber.subscribe(options.notices).catch(() => { /* Only when we stop: it waits for Redis otherwise. */ });
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake.abort();
    this.#subscriber.disconnect();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { look, log, what, everyMs = LOOKER_LIMITS.everyMs } = this.#options;
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      let pauseMs = everyMs;
      this.#wake = new AbortController();
      try {
        await look();
        failures = 0;
        this.#markReady();
      } catch (error) {
        failures += 1;
        pauseMs = backoffMs(failures, LOOKER_LIMITS.retryFromMs, LOOKER_LIMITS.retryToMs);
        if (!this.#stopping.signal.aborted) log.warn({ err: error, failures }, `${what} cannot be followed at the moment; they stay as they are`);
      }
      if (!this.#stopping.signal.aborted) await pause(pauseMs, this.#wake.signal);
    }
  }
}
