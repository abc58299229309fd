import { ByteWriter } from '../util/byte-writer.js';
import type { RedisClient } from './client.js';
import { PARTITIONS } from './keys.js';

export interface VectorLogLimits {
  /** Records written together, at most, or after this time, ms. */
  readonly flushAt: number;
  readonly flushMs: number;
  /** Writes under way; beyond that records are dropped and counted. */
  readonly writesMax: number;
  /** Entries (of up to `flushAt` records) a partition's stream keeps when nobody archives it, about. */
  readonly streamMax: number;
}

/** Floats kept for one write: 64 lists of twenty items take two thirds of it. */
const STAGED_FLOATS = 64 * 1024;

/**
 * Writes records of what was computed behind the replies, many in one stream entry, to one partition after another. The numbers go along as
 * raw float32, exactly as they were used and ten times cheaper than as text. Fields of an entry: `i`, a line of JSON per
 * record; `n`, their float counts, comma-separated; `v`, the floats.
 * Losing some under pressure costs training data, never a reply.
 */
export class VectorLog {
  #staged = new Float32Array(STAGED_FLOATS);
  /** As large, and read by no write. */
  readonly #free: Float32Array<ArrayBuffer>[] = [];
  #floats = 0;
  readonly #lines = new ByteWriter();
  #counts: number[] = [];
  #partition = 0;
  #writes = 0;
  #timer: NodeJS.Timeout | undefined;
  dropped = 0;

  constructor(private readonly redis: RedisClient, private readonly streamOf: (partition: number) => string, private readonly limits: VectorLogLimits) {}

  /**
   * @param floats how many numbers the record has, at most `STAGED_FLOATS`
   * @param stage writes them to `out` from `at` on; called at once
   * @param line writes its JSON; called at once
   */
  add(floats: number, stage: (out: Float32Array, at: number) => void, line: (out: ByteWriter) => void): void {
    if (this.#floats + floats > STAGED_FLOATS) void this.flush();
    stage(this.#staged, this.#floats);
    this.#floats += floats;
    if (this.#counts.push(floats) > 1) this.#lines.text('\n');
    line(this.#lines);
    if (this.#counts.length >= this.limits.flushAt) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), this.limits.flushMs);
  }

  /** Writes what waits. Never rejects: records that Redis does not take are counted as dropped. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waiting = this.#counts.length;
    if (waiting === 0) return;
    const lines = this.#lines.take();
    const staged = this.#staged;
    const vectors = Buffer.from(staged.buffer, 0, this.#floats * staged.BYTES_PER_ELEMENT);
    const counts = this.#counts.join(',');
    this.#counts = [];
    this.#floats = 0;
    if (this.#writes >= this.limits.writesMax) {
      this.dropped += waiting;
      return;
    }
    this.#writes += 1;
    // Sent as it stands, without a copy: those cost the garbage collector more than all else of a request together.
    this.#staged = this.#free.pop() ?? new Float32Array(STAGED_FLOATS);
    this.#partition = (this.#partition + 1) % PARTITIONS;
    const stream = this.streamOf(this.#partition);
    try {
      await this.redis.xadd(stream, 'MAXLEN', '~', this.limits.streamMax, '*', 'i', lines, 'n', counts, 'v', vectors);
      // Only then: who knows what is still to come of a write that failed.
      this.#free.push(staged);
    } catch {
      this.dropped += waiting;
    } finally {
      this.#writes -= 1;
    }
  }
}
