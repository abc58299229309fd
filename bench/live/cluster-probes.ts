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
const FAULT_CHARS = 120;

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
        return faultOf(reply, ({ accepted }) => accepted === 1);
      }),
      lists: new ServiceProbe(async (signal) => {
        const reply = await post('/v1/recommendations', { userId, scene: 'home', limit: 5 }, signal);
        return faultOf(reply, ({ degraded }) => degraded === undefined);
      }),
      cues: new ServiceProbe(async (signal) => {
        const reply = await post(`/v1/rooms/${room}/cues`, { kind: 'pin', itemId: null }, signal);
        return faultOf(reply, ({ cue }) => cue !== undefined);
      }),
      claims: new ServiceProbe(async () => {
        const { type, reason } = await api.send({ act: 'claim', offer, key: randomUUID(), userId: randomUUID() });
        return type === 'ok' ? '' : reason ?? type;
      }),
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

  /** What went wrong in a time, by what was asked for. */
  faults(from: number, to: number): string {
    return KINDS.map((kind) => `${kind}: ${this.#probes[kind].faults(from, to)}`).filter((line) => !line.endsWith(': ')).join('; ');
  }

  async stop(): Promise<void> {
    await Promise.all(KINDS.map((kind) => this.#probes[kind].stop()));
  }
}

/** @returns '' for a good answer, else its status and what is wrong, in few words: the same of many are counted together */
async function faultOf(reply: Response, isGood: (body: Readonly<Record<string, unknown>>) => boolean): Promise<string> {
  const text = await reply.text();
  const body = JSON.parse(text) as Record<string, unknown>;
  if (reply.ok && isGood(body)) return '';
  const { code, degraded } = body;
  return `${reply.status} ${typeof code === 'string' ? code : degraded === undefined ? text.slice(0, FAULT_CHARS) : JSON.stringify(degraded)}`;
}
