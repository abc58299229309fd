import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { AppError } from '../errors.js';
import { HEAD_BYTES, TOKEN_BYTES } from '../profile/codec.js';
import type { Keys } from './keys.js';

export type WriteResult =
  | { readonly written: true }
  /** Somebody else wrote first; `current` is what is there now. */
  | { readonly written: false; readonly current: Buffer | null };

interface ProfileScripts {
  writeProfileBuffer(...args: (string | Buffer | number)[]): Promise<number | Buffer>;
  eraseProfile(profile: string, stream: string, record: string): Promise<number>;
}

const NO_TOKEN = Buffer.alloc(TOKEN_BYTES);
export const readScript = (name: string): string => readFileSync(new URL(`scripts/${name}.lua`, import.meta.url), 'utf8');

/** Profiles in Redis: plain reads, and one compare-and-set script that writes a profile and its events together. */
export class ProfileStore {
  readonly #redis: Redis;
  readonly #scripts: ProfileScripts;
  readonly #keys: Keys;
  readonly #streamMax: number;

  constructor(redis: Redis, keys: Keys, limits: { profileTtlS: number; streamEntriesMax: number }) {
    const lua = readScript('write-profile').replaceAll('$TTL_S', String(limits.profileTtlS)).replaceAll('$STREAM_MAX', String(limits.streamEntriesMax));
    redis.defineCommand('writeProfile', { numberOfKeys: 3, lua });
    redis.defineCommand('eraseProfile', { numberOfKeys: 2, lua: readScript('erase-profile') });
    this.#redis = redis;
    this.#scripts = redis as unknown as ProfileScripts;
    this.#keys = keys;
    this.#streamMax = limits.streamEntriesMax;
  }

  /** The whole value, for a writer. */
  read(shopper: string): Promise<Buffer | null> {
    return this.#redis.getBuffer(this.#keys.profile(shopper));
  }

  /** The whole values of many shoppers, in one command: each command of its own would cost 6 µs of CPU. */
  readMany(shoppers: readonly string[]): Promise<(Buffer | null)[]> {
    return this.#redis.mgetBuffer(shoppers.map(this.#keys.profile));
  }

  /** All but the recent event ids, for a reader: at most `HEAD_BYTES`. */
  async readHead(shopper: string): Promise<Buffer | null> {
    const head = await this.#redis.getrangeBuffer(this.#keys.profile(shopper), 0, HEAD_BYTES - 1);
    return head.length === 0 ? null : head;
  }

  /**
   * @param read the value that was read, null for none
   * @param events JSON of the events folded into it
   * @throws AppError `backlog_full` when the stream holds as many entries as allowed; Redis errors as they come
   */
  async write(shopper: string, read: Buffer | null, value: Buffer, events: readonly string[]): Promise<WriteResult> {
    const result = await this.#scripts.writeProfileBuffer(
      this.#keys.profile(shopper), this.#keys.eventsOf(shopper), this.#keys.push(shopper),
      Buffer.concat([read === null ? NO_TOKEN : read.subarray(0, TOKEN_BYTES), value]), ...events,
    );
    if (result === 1) return { written: true };
    if (result === 2) {
      throw new AppError('backlog_full', `${this.#streamMax} events of this partition wait to be archived; start a worker, or send again later.`);
    }
    const current = result as Buffer;
    return { written: false, current: current.length === 0 ? null : current };
  }

  /** @returns whether there was a profile */
  async erase(shopper: string, record: string): Promise<boolean> {
    return (await this.#scripts.eraseProfile(this.#keys.profile(shopper), this.#keys.eventsOf(shopper), record)) === 1;
  }
}
