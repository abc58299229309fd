import type { Redis } from 'ioredis';
import { readScript } from './profile-store.js';

interface TrimScript {
  trimStream(stream: string, ...groups: string[]): Promise<number>;
}

/** Trims streams behind their consumer groups: never past an entry that one of them has not acknowledged. */
export class StreamTrimmer {
  readonly #scripts: TrimScript;

  constructor(redis: Redis) {
    redis.defineCommand('trimStream', { numberOfKeys: 1, lua: readScript('trim-stream') });
    this.#scripts = redis as unknown as TrimScript;
  }

  /**
   * @param groups that must be on a stream before anything of it may go; others that are there count as well
   * @returns how many entries went
   */
  async trim(streams: readonly string[], groups: readonly string[]): Promise<number> {
    const trimmed = await Promise.all(streams.map((stream) => this.#scripts.trimStream(stream, ...groups)));
    return trimmed.reduce((sum, count) => sum + count, 0);
  }
}
