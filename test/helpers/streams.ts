import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { ShopperEvent } from '../../src/domain/event.js';
import type { StreamRecord } from '../../src/domain/record.js';
import { StreamConsumer, type ConsumerOptions } from '../../src/jobs/stream-consumer.js';
import { parseEvent, type EventEntry, type StreamHandler } from '../../src/jobs/streams.js';
import { connectRedis, untilReady, type RedisClient } from '../../src/redis/client.js';
import { makeKeys, PARTITIONS } from '../../src/redis/keys.js';

/** What tests of the parts behind the streams share. */
export const keys = makeKeys('test:');
export const eventStreams = Array.from({ length: PARTITIONS }, (_, i) => keys.events(i));
export const silent = pino({ level: 'silent' });

/** @param timeoutMs of a command: long, for machines that stand still for seconds at times */
export async function commandsTo(url: string, timeoutMs = 10_000): Promise<RedisClient> {
  const redis = connectRedis(url, 'commands', { timeoutMs, name: 'test' });
  await untilReady(redis, 10_000);
  return redis;
}

export const listenTo = (url: string) => (): RedisClient => connectRedis(url, 'listening', { timeoutMs: 0, name: 'test-reads' });

export async function tempDir(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'rivulet-archive-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

let counter = 0;
/** An event with an id of its own. */
export const anEvent = (fields: Partial<ShopperEvent> = {}): ShopperEvent =>
  ({ id: `e${counter++}`, type: 'view_item', shopper: 'u:ann', itemId: 'i1', at: Date.now(), ...fields });

/** Appends records to their shoppers' streams. @returns the entry ids */
export function append(redis: RedisClient, ...records: readonly StreamRecord[]): Promise<string[]> {
  return Promise.all(records.map(async (record) => (await redis.xadd(keys.eventsOf(record.shopper), '*', 'e', JSON.stringify(record)))!));
}

/** Notes what it is handed. */
export class Recorder implements StreamHandler {
  readonly ids: string[] = [];
  /** Called before a batch is noted; may throw. */
  before: (entries: readonly EventEntry[]) => Promise<void> = async () => { /* Nothing. */ };

  constructor(readonly name: string, readonly attemptsMax: number = Infinity) {}

  async handle(entries: readonly EventEntry[]): Promise<void> {
    await this.before(entries);
    for (const { record } of entries) this.ids.push(record.id);
  }
}

export function consume(
  url: string, redis: RedisClient, handler: StreamHandler, options: Partial<ConsumerOptions<EventEntry>> = {},
): StreamConsumer<EventEntry> {
  const consumer = new StreamConsumer({
    streams: eventStreams, handler, parse: parseEvent, redis, connect: listenTo(url), consumer: 'test', log: silent, gatherMs: 1, ...options,
  });
  consumer.start();
  return consumer;
}

/** Waits until a condition holds. @throws Error when it does not in time */
export async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`Not within ${ms} ms: ${what}`);
    await new Promise((done) => { setTimeout(done, 10); });
  }
}

/**
 * Watches how long the event loop is held up, in processor time of this process. `end` gives the longest turn, ms, and its
 * share of all that was done meanwhile: near 1 for work done in one go, on a slow machine as on a quick one.
 */
export function longestTurn(): { end(): { ms: number; share: number } } {
  const used = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  let longest = 0;
  const begin = used();
  let last = begin;
  const timer = setInterval(() => {
    const now = used();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1);
  return {
    end: () => {
      clearInterval(timer);
      return { ms: longest, share: longest / (used() - begin) };
    },
  };
}
