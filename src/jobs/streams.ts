import type { PortraitRecord, ShopperRecord, StreamRecord } from '../domain/record.js';
import type { RedisClient } from '../redis/client.js';

const FLOAT_BYTES = 4;

/** One entry of a partition's event stream. */
export interface EventEntry {
  readonly partition: number;
  readonly id: string;
  readonly record: StreamRecord;
  /** The record as it was written. */
  readonly json: string;
}

/** One entry of a partition's stream of impressions or decisions: those of several replies. */
export interface VectorEntry {
  readonly partition: number;
  readonly id: string;
  readonly records: readonly {
    readonly json: string;
    /** float32: see `ImpressionLog` and `DecisionLog`. */
    readonly vectors: Buffer;
  }[];
}

/** What hangs behind the streams: a consumer group of its own. */
export interface StreamHandler<E = EventEntry> {
  /** Name of the group. */
  readonly name: string;
  /**
   * Handles a batch; it is acknowledged when this resolves. A batch that fails, or whose acknowledgement is lost, comes
   * again, perhaps in other company or at another worker: idempotent by event id.
   */
  handle(entries: readonly E[]): Promise<void>;
  /** Failures in a row after which entries that fail by themselves are given up; default: never. */
  readonly attemptsMax?: number;
}

/** @returns whether it is something else than an event */
export const isShopperRecord = (record: StreamRecord): record is ShopperRecord | PortraitRecord =>
  record.type === 'alias' || record.type === 'erase' || record.type === 'risk' || record.type === 'portrait';

/** Fields of an entry: name, value, name, value… */
export type Fields = readonly Buffer[];

/** @returns undefined for an entry that is no record */
export function parseEvent(partition: number, id: string, fields: Fields): EventEntry | undefined {
  const json = fieldOf(fields, 'e')?.toString();
  if (json === undefined) return undefined;
  try {
    const record = JSON.parse(json) as StreamRecord;
    return typeof record.id === 'string' && typeof record.shopper === 'string' ? { partition, id, record, json } : undefined;
  } catch {
    return undefined;
  }
}

/** @returns undefined for an entry whose parts do not fit together */
export function parseVectors(partition: number, id: string, fields: Fields): VectorEntry | undefined {
  const lines = fieldOf(fields, 'i')?.toString().split('\n') ?? [];
  const counts = fieldOf(fields, 'n')?.toString().split(',').map(Number) ?? [];
  const vectors = fieldOf(fields, 'v');
  if (vectors === undefined || lines.length !== counts.length || vectors.length !== FLOAT_BYTES * counts.reduce((sum, count) => sum + count, 0)) return undefined;
  let at = 0;
  const records = lines.map((json, i) => {
    const from = at;
    at += counts[i]! * FLOAT_BYTES;
    return { json, vectors: vectors.subarray(from, at) };
  });
  return { partition, id, records };
}

export function fieldOf(fields: Fields, name: string): Buffer | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i]!.toString() === name) return fields[i + 1];
  return undefined;
}

/** Creates the group on every stream that lacks it, from the first entry on: nothing that is there is passed over. */
export async function ensureGroups(redis: RedisClient, streams: readonly string[], group: string): Promise<void> {
  await Promise.all(streams.map(async (stream) => {
    try {
      await redis.xgroup('CREATE', stream, group, '0', 'MKSTREAM');
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error;
    }
  }));
}

/** Entries a group has not acknowledged yet, over all streams. */
export async function groupLag(redis: RedisClient, streams: readonly string[], group: string): Promise<number> {
  const lags = await Promise.all(streams.map(async (stream) => {
    try {
      const groups = (await redis.xinfo('GROUPS', stream)) as (readonly (string | number | null)[])[];
      const found = groups.find((fields) => valueOf(fields, 'name') === group);
      return found === undefined ? await redis.xlen(stream) : Number(valueOf(found, 'lag') ?? 0) + Number(valueOf(found, 'pending') ?? 0);
    } catch (error) {
      if (error instanceof Error && error.message.includes('no such key')) return 0;
      throw error;
    }
  }));
  return lags.reduce((sum, lag) => sum + lag, 0);
}

const valueOf = (fields: readonly (string | number | null)[], name: string): string | number | null | undefined =>
  fields[fields.indexOf(name) + 1];

/** Where a stream stands, and a group of it. */
export interface StreamPlace {
  /** First entry that is there; undefined: none is. */
  readonly first: string | undefined;
  /** Last entry there ever was. */
  readonly last: string;
  /** Last entry the group was given. */
  readonly delivered: string;
}

/** Looks at streams that have the group. */
export async function streamPlaces(redis: RedisClient, streams: readonly string[], group: string): Promise<StreamPlace[]> {
  return Promise.all(streams.map(async (stream) => {
    const info = (await redis.xinfo('STREAM', stream)) as (string | number | null | readonly [string, unknown])[];
    const groups = (await redis.xinfo('GROUPS', stream)) as (readonly (string | number | null)[])[];
    const own = groups.find((fields) => valueOf(fields, 'name') === group) ?? [];
    const first = info[info.indexOf('first-entry') + 1];
    return {
      first: Array.isArray(first) ? String(first[0]) : undefined,
      last: String(info[info.indexOf('last-generated-id') + 1]),
      delivered: String(valueOf(own, 'last-delivered-id') ?? '0-0'),
    };
  }));
}
