import type { RedisClient } from './client.js';
import { readScript } from './profile-store.js';

interface Scripts {
  trimStream(stream: string, ...groups: string[]): Promise<number>;
  forgetConsumers(stream: string, silentMs: number): Promise<number>;
}

/** Keeps streams tidy behind their consumer groups. */
export class StreamKeeper {
  readonly #scripts: Scripts;

  constructor(redis: RedisClient) {
    redis.defineCommand('trimStream', { numberOfKeys: 1, lua: readScript('trim-stream') });
    redis.defineCommand('forgetConsumers', { numberOfKeys: 1, lua: readScript('forget-consumers') });
    this.#scripts = redis as unknown as Scripts;
  }

  /**
   * Drops what all groups have acknowledged, never more.
   * @param groups that must be on a stream before anything of it may go; others that are there count as well
   * @returns how many entries went
   */
  async trim(streams: readonly string[], groups: readonly string[]): Promise<number> {
    return sum(await Promise.all(streams.map((stream) => this.#scripts.trimStream(stream, ...groups))));
  }

  /** Removes consumers that took nothing for so long and have nothing pending. @returns how many names went */
  async forgetConsumers(streams: readonly string[], silentMs: number): Promise<number> {
    return sum(await Promise.all(streams.map((stream) => this.#scripts.forgetConsumers(stream, silentMs))));
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
