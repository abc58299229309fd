import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelHolder, SwapResult } from './model-holder.js';

export const MODEL_WATCH_LIMITS = {
  /** Between looks at the folders, ms. A change must stay the same for one interval: files are copied one by one. */
  everyMs: 500,
  /** With no model at all, the same files are tried again after this pause, ms: the machine may just have been busy. */
  retryMs: 10_000,
  /** New items of the catalog are taken up by the model's encoder this often, ms. */
  refreshMs: 5000,
} as const;

/** Says where the model that serves is, and the one that scores beside it. */
export interface ModelPlaces {
  servingFolder(): Promise<string>;
  shadowFolder(): Promise<string | undefined>;
}

/** A folder as last seen, and as last tried. */
interface Watched {
  folder: string | undefined;
  seen: string;
  tried: string;
}

/**
 * Loads the serving model and, whenever its files change or another folder serves, the new one: to deploy a model, or to
 * mend a broken one, put the files there. Likewise the shadow. Polls, because file notices do not reach mounted and
 * network file systems.
 */
export class ModelWatcher {
  readonly #holder: ModelHolder;
  readonly #places: ModelPlaces;
  readonly #everyMs: number;
  readonly #serving: Watched = { folder: undefined, seen: '', tried: '' };
  readonly #shadow: Watched = { folder: undefined, seen: '', tried: '' };
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #looking = false;
  /** How long ago the serving folder was last tried, ms. */
  #triedAgoMs = 0;
  /** How long ago the encoder was shown the catalog's new items, ms. */
  #refreshedAgoMs = 0;

  constructor(holder: ModelHolder, places: ModelPlaces, everyMs: number = MODEL_WATCH_LIMITS.everyMs) {
    this.#holder = holder;
    this.#places = places;
    this.#everyMs = everyMs;
  }

  /** Loads the model, then keeps watching. @returns what came of the first load */
  async start(): Promise<SwapResult> {
    const folder = await this.#places.servingFolder();
    await see(this.#serving, folder);
    const result = await this.#swap(folder);
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
    // What cannot be asked at the moment has not changed.
    const folder = await this.#places.servingFolder().catch(() => this.#serving.folder!);
    const shadow = await this.#places.shadowFolder().catch(() => this.#shadow.folder);
    const isDue = this.#holder.current === undefined && this.#triedAgoMs >= MODEL_WATCH_LIMITS.retryMs;
    if (await see(this.#serving, folder) && (this.#serving.seen !== this.#serving.tried || isDue)) await this.#swap(folder);
    if (await see(this.#shadow, shadow) && this.#shadow.seen !== this.#shadow.tried) {
      this.#shadow.tried = this.#shadow.seen;
      await this.#holder.shadow(shadow);
    }
    this.#refreshedAgoMs += this.#everyMs;
    if (this.#refreshedAgoMs >= MODEL_WATCH_LIMITS.refreshMs) {
      this.#refreshedAgoMs = 0;
      await this.#holder.refresh();
    }
    this.#looking = false;
  }

  #swap(folder: string): Promise<SwapResult> {
    this.#serving.tried = this.#serving.seen;
    this.#triedAgoMs = 0;
    return this.#holder.swap(folder);
  }
}

/** @returns whether the folder is as it was when it was last seen */
async function see(watched: Watched, folder: string | undefined): Promise<boolean> {
  const found = folder === undefined ? '' : `${folder} ${await fingerprint(folder)}`;
  const isSettled = found === watched.seen;
  watched.seen = found;
  watched.folder = folder;
  return isSettled;
}

/** Changes when a file is written, replaced, removed or comes back. */
async function fingerprint(folder: string): Promise<string> {
  const files = await Promise.all(['manifest.json', 'golden.json', 'model.onnx', 'encoder.onnx', 'vectors.bin'].map(async (name) => {
    const found = await stat(join(folder, name)).catch(() => undefined);
    return found === undefined ? '-' : `${found.ino}:${found.size}:${found.mtimeMs}`;
  }));
  return files.join();
}
