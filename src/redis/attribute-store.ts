import { mergeAttributes, parseAttributes, type Attributes } from '../domain/attributes.js';
import type { PortraitRecord } from '../domain/record.js';
import { AppError } from '../errors.js';
import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';
import { readScript } from './profile-store.js';

const ATTRIBUTE_STORE_LIMITS = { attempts: 5 } as const;

interface AttributeScripts {
  writeAttributes(...args: (string | number)[]): Promise<number>;
}

/** Attributes of shoppers: JSON in the shopper's slot. They live as long as a profile does, counted from their last write or the shopper's last event. */
export class AttributeStore {
  readonly #redis: RedisClient;
  readonly #scripts: AttributeScripts;
  readonly #keys: Keys;
  readonly #ttlS: number;

  constructor(redis: RedisClient, keys: Keys, { profileTtlS }: { profileTtlS: number }) {
    redis.defineCommand('writeAttributes', { numberOfKeys: 2, lua: readScript('write-attributes') });
    this.#redis = redis;
    this.#scripts = redis as unknown as AttributeScripts;
    this.#keys = keys;
    this.#ttlS = profileTtlS;
  }

  /** @returns as stored; '' for none */
  async readJson(shopper: string): Promise<string> {
    return await this.#redis.get(this.#keys.attributes(shopper)) ?? '';
  }

  /** Of many shoppers of one partition, in one command. */
  async readMany(shoppers: readonly string[]): Promise<(Attributes | undefined)[]> {
    const texts = await this.#redis.mget(shoppers.map(this.#keys.attributes));
    return texts.map((text) => parseAttributes(text ?? ''));
  }

  async read(shopper: string): Promise<Attributes | undefined> {
    return parseAttributes(await this.readJson(shopper));
  }

  /** Replaces all of them. @param record tells who hangs behind the stream */
  async write(shopper: string, attributes: Attributes, record: PortraitRecord): Promise<void> {
    await this.#put(shopper, '*', JSON.stringify(attributes), record);
  }

  /** What was known of a visitor is known of the user from now on; may be repeated. */
  async move(from: string, to: string, record: PortraitRecord): Promise<void> {
    const visitor = await this.readJson(from);
    if (visitor === '') return;
    for (let attempt = 0; attempt < ATTRIBUTE_STORE_LIMITS.attempts; attempt++) {
      const user = await this.readJson(to);
      const merged = mergeAttributes(parseAttributes(user) ?? {}, parseAttributes(visitor) ?? {});
      if (!await this.#put(to, user, JSON.stringify(merged), record)) continue;
      await this.#put(from, visitor, '', { ...record, shopper: from });
      return;
    }
    throw new AppError('write_contended', `Attributes of shopper ${to.slice(2)} are written from too many places at once; try again.`);
  }

  async #put(shopper: string, read: string, value: string, record: PortraitRecord): Promise<boolean> {
    const keys = [this.#keys.attributes(shopper), this.#keys.eventsOf(shopper)];
    return (await this.#scripts.writeAttributes(...keys, read, value, this.#ttlS, JSON.stringify(record))) === 1;
  }
}
