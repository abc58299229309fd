import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelHolder, SwapResult } from './model-holder.js';

export const MODEL_WATCH_LIMITS = {
  /** Between looks at the folder, ms. A change must stay the same for one interval: files are copied one by one. */
  everyMs: 500,
  /** With no model at all, the same files are tried again after this pause, ms: the machine may just have been busy. */
  retryMs: 10_000,
} as const;

/**
 * Loads the model of a folder and, whenever its files change, the new one: to deploy a model, or to mend a broken one,
 * put the files there. Polls, because file notices do not reach mounted and network file systems.
 */
export class ModelWatcher {
  readonly #holder: ModelHolder;
  readonly #folder: string;
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #looking = false;
  /** Files as last seen, as last tried, and how long ago that was, ms. */
  #seen = '';
  #tried = '';
  #triedAgoMs = 0;

  constructor(holder: ModelHolder, folder: string, everyMs: number = MODEL_WATCH_LIMITS.everyMs) {
    this.#holder = holder;
    this.#folder = folder;
    this.#everyMs = everyMs;
  }

  /** Loads the model, then keeps watching. @returns what came of the first load */
  async start(): Promise<SwapResult> {
    this.#seen = await this.#fingerprint();
    const result = await this.#try();
    this.#timer = setInterval(() => {
      if (!this.#looking) this.#running = this.#look();
    }, this.#everyMs);
    return result;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  async #look(): Promise<void> {
    this.#looking = true;
    this.#triedAgoMs += this.#everyMs;
    const found = await this.#fingerprint();
    const isSettled = found === this.#seen;
    this.#seen = found;
    const isDue = this.#holder.current === undefined && this.#triedAgoMs >= MODEL_WATCH_LIMITS.retryMs;
    if (isSettled && (found !== this.#tried || isDue)) await this.#try();
    this.#looking = false;
  }

  #try(): Promise<SwapResult> {
    this.#tried = this.#seen;
    this.#triedAgoMs = 0;
    return this.#holder.swap(this.#folder);
  }

  /** Changes when a file is written, replaced, removed or comes back. */
  async #fingerprint(): Promise<string> {
    const files = await Promise.all(['manifest.json', 'golden.json', 'model.onnx'].map(async (name) => {
      const found = await stat(join(this.#folder, name)).catch(() => undefined);
      return found === undefined ? '-' : `${found.ino}:${found.size}:${found.mtimeMs}`;
    }));
    return files.join();
  }
}
