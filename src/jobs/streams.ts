import type { Redis } from 'ioredis';
import type { ShopperRecord, StreamRecord } from '../domain/record.js';

/** One entry of a partition's event stream. */
export interface EventEntry {
  readonly partition: number;
  readonly id: string;
  readonly record: StreamRecord;
  /** The record as it was written. */
  readonly json: string;
}

/** One entry of a partition's impression stream. */
export interface ImpressionEntry {
  readonly partition: number;
  readonly id: string;
  /** JSON, and float32 as `ImpressionLog` lays them out. */
  readonly impressions: readonly { readonly json: string; readonly vectors: Buffer }[];
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

export const isShopperRecord = (record: StreamRecord): record is ShopperRecord => record.type === 'alias' || record.type === 'erase';

/** Fields of an entry: name, value, name, value… */
export type Fields = readonly Buffer[];

/** @returns undefined for an entry that is no record */
export function parseEvent(partition: number, id: string, fields: Fields): EventEntry | undefined {
  const json = field(fields, 'e')?.toString();
  if (json === undefined) return undefined;
  try {
    const record = JSON.parse(json) as StreamRecord;
    return typeof record.id === 'string' && typeof record.shopper === 'string' ? { partition, id, record, json } : undefined;
  } catch {
    return undefined;
  }
}

export function parseImpression(partition: number, id: string, fields: Fields): ImpressionEntry | undefined {
  const lines = field(fields, 'i')?.toString().split('\n') ?? [];
  const counts = field(fields, 'n')?.toString().split(',').map(Number) ?? [];
  const floats = field(fields, 'v');
  if (floats === undefined || lines.length !== counts.length) return undefined;
  let at = 0;
  const impressions = lines.map((json, i) => ({ json, vectors: floats.subarray(at, at += counts[i]! * 4) }));
  return at === floats.length ? { partition, id, impressions } : undefined;
}

function field(fields: Fields, name: string): Buffer | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i]!.toString() === name) return fields[i + 1];
  return undefined;
}

/** Creates the group on every stream that lacks it, from the first entry on: nothing that is there is passed over. */
export async function ensureGroups(redis: Redis, streams: readonly string[], group: string): Promise<void> {
  await Promise.all(streams.map(async (stream) => {
    try {
      await redis.xgroup('CREATE', stream, group, '0', 'MKSTREAM');
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error;
    }
  }));
}

/** Entries a group has not acknowledged yet, over all streams. */
export async function groupLag(redis: Redis, streams: readonly string[], group: string): Promise<number> {
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
