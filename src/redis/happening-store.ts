import type { EventType } from '../domain/event.js';
import type { RedisClient } from './client.js';
import { PARTITIONS, type Keys } from './keys.js';

const HAPPENING_LIMITS = {
  /** What happened is known this long after the last of it, ms: longer than campaigns usually last. */
  lifeMs: 60 * 86_400_000,
  pageSize: 500,
} as const;

const SEEN = 'seen';

/** Something that campaigns look for. */
export interface Happening {
  readonly shopper: string;
  readonly type: EventType | typeof SEEN;
  /** ms */
  readonly at: number;
}

/** When shoppers did what campaigns look for, as far as the stream has told, and when they have their birthdays: in their slots. */
export class HappeningStore {
  constructor(private readonly redis: RedisClient, private readonly keys: Keys) {}

  /** Notes them; an earlier one that comes late leaves a later one as it is. */
  async note(happenings: readonly Happening[]): Promise<void> {
    await Promise.all(happenings.flatMap(({ shopper, type, at }) => {
      const key = this.keys.happenings(shopper);
      return [this.redis.zadd(key, 'GT', at, type), this.redis.pexpire(key, HAPPENING_LIMITS.lifeMs)];
    }));
  }

  /** @returns when the shopper last did any of these, ms; undefined for never, or long ago */
  async last(shopper: string, types: readonly EventType[]): Promise<number | undefined> {
    const times = await this.redis.zmscore(this.keys.happenings(shopper), ...types);
    const known = times.flatMap((at) => (at === null ? [] : [Number(at)]));
    return known.length === 0 ? undefined : Math.max(...known);
  }

  /** @returns those of the shoppers who were not noted as seen */
  async unseen(shoppers: readonly string[]): Promise<string[]> {
    const seen = await Promise.all(shoppers.map((shopper) => this.redis.zscore(this.keys.happenings(shopper), SEEN)));
    return shoppers.filter((_, i) => seen[i] === null);
  }

  /** @param birthday `MM-DD`, undefined for unknown */
  async noteBirthday(shopper: string, birthday: string | undefined): Promise<void> {
    const key = this.keys.birthdaysOf(shopper);
    if (birthday === undefined) await this.redis.zrem(key, shopper);
    else await this.redis.zadd(key, scoreOf(birthday), shopper);
  }

  /** Everybody whose birthday is one of the days (`MM-DD`), a page at a time. */
  async *bornOn(days: readonly string[]): AsyncGenerator<string[]> {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (const day of days) {
        const score = scoreOf(day);
        for (let from = 0; ; from += HAPPENING_LIMITS.pageSize) {
          const page = await this.redis.zrange(this.keys.birthdays(partition), String(score), String(score), 'BYSCORE', 'LIMIT', from, HAPPENING_LIMITS.pageSize);
          if (page.length > 0) yield page;
          if (page.length < HAPPENING_LIMITS.pageSize) break;
        }
      }
    }
  }

  /** Forgets an erased shopper. */
  async forget(shopper: string): Promise<void> {
    await Promise.all([this.redis.del(this.keys.happenings(shopper)), this.noteBirthday(shopper, undefined)]);
  }
}

const scoreOf = (day: string): number => Number(day.slice(0, 2)) * 100 + Number(day.slice(3, 5));
