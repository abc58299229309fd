import { randomUUID } from 'node:crypto';
import type { Keys } from '../../src/redis/keys.js';
import type { TestRedis } from '../../test/helpers/redis.js';
import type { ApiClient } from '../claims/api-client.js';
import { anOffer } from '../claims/offers.js';
import type { ClusterFleet } from './cluster-fleet.js';
import { ServiceProbe } from './service-probe.js';

export interface ProbePlan {
  /** The master whose slots are asked about. */
  readonly victim: TestRedis;
  /** On it. */
  readonly room: string;
  readonly api: ApiClient;
  readonly keys: Keys;
  /** Of shoppers and offers; new for each. */
  readonly name: string;
}

const KINDS = ['events', 'lists', 'cues', 'claims'] as const;
const CLAIMS = 1_000_000;

/** Asks again and again for all that lies on one master: that events are taken, lists are full, cues are taken and claims handed out. */
export class ClusterProbes {
  readonly #probes: Readonly<Record<(typeof KINDS)[number], ServiceProbe>>;

  private constructor(probes: Readonly<Record<(typeof KINDS)[number], ServiceProbe>>) {
    this.#probes = probes;
  }

  static async start(fleet: ClusterFleet, { victim, room, api, keys, name }: ProbePlan): Promise<ClusterProbes> {
    const { url } = fleet.engine;
    const userId = await fleet.nameOn(victim, `${name}user`, (id) => keys.profile(`u:${id}`));
    const offer = await fleet.nameOn(victim, `${name}offer`, (id) => keys.offer(id).state);
    await api.launch(anOffer(offer, CLAIMS, 0));
    const post = (path: string, body: object, signal: AbortSignal): Promise<Response> => fetch(`${url}${path}`, {
      method: 'POST', headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() }, body: JSON.stringify(body), signal,
    });
    return new ClusterProbes({
      events: new ServiceProbe(async (signal) => {
        const reply = await post('/v1/events', { events: [{ id: randomUUID(), type: 'view_item', userId, itemId: 'sku-1' }] }, signal);
        return (await reply.json() as { accepted?: number }).accepted === 1;
      }),
      lists: new ServiceProbe(async (signal) => {
        const reply = await post('/v1/recommendations', { userId, scene: 'home', limit: 5 }, signal);
        const { degraded = [] } = await reply.json() as { degraded?: string[] };
        return reply.ok && degraded.length === 0;
      }),
      cues: new ServiceProbe(async (signal) => {
        const reply = await post(`/v1/rooms/${room}/cues`, { kind: 'pin', itemId: null }, signal);
        await reply.arrayBuffer();
        return reply.status === 201;
      }),
      claims: new ServiceProbe(async () => (await api.send({ act: 'claim', offer, key: randomUUID(), userId: randomUUID() })).type === 'ok'),
    });
  }

  /** Whether all of it works again. */
  areBackSince(time: number): boolean {
    return KINDS.every((kind) => this.#probes[kind].backAt(time) !== undefined);
  }

  /** How long each failed since then, ms. */
  backMs(time: number): Record<`${(typeof KINDS)[number]}Ms`, number> {
    const since = (kind: (typeof KINDS)[number]): number => (this.#probes[kind].backAt(time) ?? Infinity) - time;
    return { eventsMs: since('events'), listsMs: since('lists'), cuesMs: since('cues'), claimsMs: since('claims') };
  }

  async stop(): Promise<void> {
    await Promise.all(KINDS.map((kind) => this.#probes[kind].stop()));
  }
}
