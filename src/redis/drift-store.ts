import type { RedisClient } from './client.js';
import type { Keys } from './keys.js';

/** Nobody wrote for so long: what is there says nothing of now, s. */
const KEPT_S = 3600;

export interface Drift {
  /** Label of the model. */
  readonly model: string;
  /** Lists looked at, the older ones in part. */
  readonly lists: number;
  /** Population stability index by column, `score` among them. */
  readonly indexes: ReadonlyMap<string, number>;
}

/** How far live traffic is from where the serving model was trained: a worker measures, any process can tell. */
export class DriftStore {
  constructor(private readonly redis: RedisClient, private readonly keys: Keys) {}

  async write({ model, lists, indexes }: Drift): Promise<void> {
    const { drift } = this.keys;
    const fields = Object.fromEntries([...indexes].map(([column, index]) => [`psi:${column}`, index]));
    await this.redis.multi().del(drift).hset(drift, { model, lists, ...fields }).expire(drift, KEPT_S).exec();
  }

  async read(): Promise<Drift | undefined> {
    const { model, lists, ...fields } = await this.redis.hgetall(this.keys.drift);
    if (model === undefined) return undefined;
    return { model, lists: Number(lists), indexes: new Map(Object.entries(fields).map(([name, index]) => [name.slice('psi:'.length), Number(index)])) };
  }
}
