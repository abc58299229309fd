import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reserveOf } from '../../src/domain/offer.js';
import { makeKeys } from '../../src/redis/keys.js';
import { pause } from '../../src/util/pause.js';
import { seededRandom } from '../../src/util/random.js';
import type { TestRedis } from '../../test/helpers/redis.js';
import { until } from '../../test/helpers/until.js';
import { putItems, Traffic } from '../../test/helpers/traffic.js';
import { ApiClient } from '../claims/api-client.js';
import { ClaimLoad } from '../claims/claim-load.js';
import { FLEET } from '../claims/fleet.js';
import { HistoryFiles } from '../claims/history-files.js';
import { judge, type Violation } from '../claims/judge.js';
import { anOffer } from '../claims/offers.js';
import { ClusterFleet } from './cluster-fleet.js';
import { ClusterProbes } from './cluster-probes.js';
import { scenario, type Outcome, type Tools } from './scenario.js';
import { openRoom } from './store.js';
import { Swarm } from './swarm.js';

const SIZE = { rounds: 5, apis: 2, clients: 32, viewers: 50, writers: 12, nodeTimeoutMs: 2000 };
type Size = typeof SIZE;

const CLUSTER = {
  items: 60,
  /** Offers whose claims lie on each node, and claims that each may hand out. */
  offersPerNode: 2, offerCount: 400,
  connections: 64, thinkMs: 20,
  /** From the first claim until the kill, and from when all is back until clients stop, ms. */
  beforeMs: 1500, calmMs: 1500,
  /** All is back within the cluster's node-timeout and this, ms. */
  backMs: 3000,
  /** What takes longer never ends, ms. */
  endsMs: 60_000,
} as const;

/** One kill of a master; times in ms since then. */
interface Killed {
  /** A replica has taken over. */
  readonly promotedMs: number;
  /** What lies on its slots is served again: events taken, full lists, cues taken. */
  readonly eventsMs: number;
  readonly listsMs: number;
  readonly cuesMs: number;
  /** The process was started again, as whoever runs it would do, and claims were handed out again, which wait for a replica. */
  readonly restartedMs: number;
  readonly claimsMs: number;
  readonly claims: number;
  readonly unknown: number;
  readonly events: number;
  /** What was acknowledged without waiting for a replica, and the promoted one had not got: events, wallet entries. */
  readonly forgotten: number;
  /** What was answered wrongly although a replica had taken over. */
  readonly faults: string;
  readonly broken: readonly string[];
}

export const cluster = scenario('kill -9 of a Redis Cluster\'s master under claims, events, lists and a room', SIZE, async (size: Size, tools: Tools): Promise<Outcome> => {
  const fleet = await ClusterFleet.start({ ...size, nodeArgs: tools.nodeArgs });
  try {
    await putItems(fleet.engine.url, CLUSTER.items);
    const killed: Killed[] = [];
    for (let round = 0; round < size.rounds; round++) {
      killed.push(await killMaster(fleet, size, tools.seed * 1000 + round));
      const { promotedMs, eventsMs, claimsMs, faults } = killed.at(-1)!;
      tools.say(`round ${round}: promoted after ${Math.round(promotedMs)} ms, events taken after ${Math.round(eventsMs)} ms, claims handed out after ${Math.round(claimsMs)} ms`);
      tools.say(`  since promotion: ${faults === '' ? 'no fault' : faults}`);
    }
    const boundMs = size.nodeTimeoutMs + CLUSTER.backMs;
    const servingMs = ({ eventsMs, listsMs, cuesMs }: Killed): number => Math.max(eventsMs, listsMs, cuesMs);
    return {
      measured: { rounds: killed },
      rows: [
        ['promoted, s', 'events, s', 'full lists, s', 'cues, s', 'restarted, s', 'claims, s', 'claims made', 'unknown', 'events', 'forgotten'],
        ...killed.map(({ promotedMs, eventsMs, listsMs, cuesMs, restartedMs, claimsMs, claims, unknown, events, forgotten }) => [
          ...[promotedMs, eventsMs, listsMs, cuesMs, restartedMs, claimsMs].map((ms) => (ms / 1000).toFixed(2)), ...[claims, unknown, events, forgotten].map(String),
        ]),
      ],
      broken: killed.flatMap(({ broken }) => broken),
      missed: killed.filter((one) => servingMs(one) > boundMs).map((one) => `serving again after ${Math.round(servingMs(one))} ms, of ${boundMs}`),
    };
  } finally {
    await fleet.stop();
  }
});

/** Kills the master of a room, and starts its process again as a replica when another has taken over. */
export async function killMaster(fleet: ClusterFleet, size: Size, seed: number): Promise<Killed> {
  const { cluster: redis, engine } = fleet;
  const keys = makeKeys(FLEET.prefix);
  const holderOf = await redis.holders();
  const masters = [...new Set(Array.from({ length: 64 }, (_, partition) => holderOf(keys.events(partition))!))];
  const victim = masters[seed % masters.length]!;
  const room = await fleet.nameOn(victim, `room${seed}-`, (id) => keys.room(id).log);
  await openRoom(fleet, room);
  const api = new ApiClient(engine.url, CLUSTER.connections);
  const offers = await Promise.all(masters.flatMap((node) => Array.from({ length: CLUSTER.offersPerNode }, async (_, i) =>
    anOffer(await fleet.nameOn(node, `o${seed}-${masters.indexOf(node)}-${i}-`, (id) => keys.offer(id).state), CLUSTER.offerCount, i))));
  await Promise.all(offers.map((offer) => api.launch(offer)));
  const folder = await mkdtemp(join(tmpdir(), 'rivulet-cluster-'));
  const history = new HistoryFiles(folder);
  const swarm = new Swarm({
    viewers: size.viewers, addresses: [addressOf(engine.url)], random: seededRandom(seed),
    userIdOf: (index) => `v${seed}-${index}`, channelsOf: (index) => [`room:${room}`, `user:v${seed}-${index}`],
  });
  await swarm.open(CLUSTER.endsMs);
  const load = new ClaimLoad({
    clients: size.clients, apis: [api], history, seed, refusalsMax: Infinity, thinkMs: CLUSTER.thinkMs,
    offers: offers.map((offer) => ({ id: offer.id, reserveMinor: reserveOf(offer.terms), shoppers: offer.budget.count })),
  });
  const traffic = new Traffic(engine.url, { readers: 2, writers: size.writers, items: CLUSTER.items, name: `w${seed}-` });
  const probes = await ClusterProbes.start(fleet, { victim, room, api, keys, name: `p${seed}-` });
  await pause(CLUSTER.beforeMs);
  const killedAt = performance.now();
  await victim.kill('SIGKILL');
  const promotedMs = await untilPromoted(fleet, victim, keys.room(room).log) - killedAt;
  await victim.restart();
  const restartedMs = performance.now() - killedAt;
  await until(() => probes.areBackSince(killedAt), 'all is served again', CLUSTER.endsMs);
  await pause(CLUSTER.calmMs);
  await Promise.all([load.stop(), traffic.stop(), probes.stop()]);
  const broken = [...await hearsAll(fleet, swarm, room), ...swarm.breaches.map(({ viewer, channel, rule, what }) => `${viewer} on ${channel}: ${rule} ${what}`)];
  swarm.end();
  await redis.settled();
  const violations = await judge(redis.url, history, offers.map(({ id }) => id));
  const counted = await countEvents(engine.url, traffic);
  await Promise.all([api.stop(), rm(folder, { recursive: true })]);
  const isForgotten = ({ rule }: Violation): boolean => rule === 'not_in_wallet';
  return {
    promotedMs, restartedMs, ...probes.backMs(killedAt), faults: probes.faults(killedAt + promotedMs, Infinity), claims: load.counts.made, unknown: load.counts.unknown, events: traffic.events,
    forgotten: counted.forgotten + violations.filter(isForgotten).length,
    broken: [...broken, ...counted.doubled, ...violations.filter((one) => !isForgotten(one)).map(({ rule, offer, what }) => `${offer}: ${rule} ${what}`)],
  };
}

/** @returns when another node held the key, ms of `performance.now()` */
async function untilPromoted(fleet: ClusterFleet, victim: TestRedis, key: string): Promise<number> {
  await until(async () => {
    const holder = (await fleet.cluster.holders())(key);
    return holder !== undefined && holder !== victim;
  }, 'a replica takes over', CLUSTER.endsMs);
  return performance.now();
}

/** Whoever listened before the kill hears of a cue after it. @returns a line for each who does not */
async function hearsAll(fleet: ClusterFleet, swarm: Swarm, room: string): Promise<string[]> {
  const placesOf = (): (number | undefined)[] => swarm.viewers.map(({ channels }) => channels.get(`room:${room}`)?.position?.offset);
  await until(async () => {
    const before = placesOf();
    await fleet.ask('POST', `/v1/rooms/${room}/cues`, { kind: 'pin', itemId: null });
    await pause(200);
    return placesOf().every((offset, i) => offset !== before[i]);
  }, 'all viewers hear of a cue', CLUSTER.endsMs);
  const places = new Set(swarm.viewers.map(({ channels }) => channels.get(`room:${room}`)?.position?.epoch));
  return places.size === 1 ? [] : [`viewers of ${room} follow ${places.size} logs`];
}

/** Compares profiles with what was acknowledged. */
async function countEvents(url: string, { sent }: Traffic): Promise<{ forgotten: number; doubled: string[] }> {
  let forgotten = 0;
  const doubled: string[] = [];
  for (const [shopper, count] of sent) {
    const { events } = await (await fetch(`${url}/v1/users/${shopper}/profile`)).json() as { events: number };
    forgotten += Math.max(0, count - events);
    if (events > count) doubled.push(`${shopper}: ${count} events sent, ${events} in the profile`);
  }
  return { forgotten, doubled };
}

function addressOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}
