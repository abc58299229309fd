import { pause } from '../../src/util/pause.js';
import { seededRandom } from '../../src/util/random.js';
import { shopperId } from '../workloads.js';
import { withFleet, type LiveFleet } from './fleet.js';
import { handles } from './processes.js';
import { scenario, type Outcome, type Tools } from './scenario.js';
import { COLLECTING, settledMemory } from './settled-memory.js';
import { openRoom } from './store.js';
import { Swarm } from './swarm.js';

const SIZE = { sockets: 10_000, apis: 2, warmups: 3 };
type Size = typeof SIZE;

const RUN = {
  room: 'stage',
  connectMs: 300_000,
  /** Sockets that come and go before anything is measured, so that the engine has grown to what it needs anyway: a part of all. */
  warmupShare: 0.1,
  /** What came with connecting is gone by then, ms. */
  quietMs: 10_000,
  /** What a socket may take, bytes. */
  bytesMax: 30 * 1024,
} as const;

export const idle = scenario('memory of sockets that only listen', SIZE, (size: Size, tools: Tools): Promise<Outcome> => withFleet({ apis: size.apis, nodeArgs: [...tools.nodeArgs, ...COLLECTING] }, async (fleet) => {
  await openRoom(fleet, RUN.room);
  for (let warmup = 0; warmup < size.warmups; warmup++) (await openSwarm(fleet, Math.ceil(size.sockets * RUN.warmupShare), tools.seed)).end();
  const pids = fleet.apiPids;
  await pause(RUN.quietMs);
  const settled = async (): Promise<number[]> => (await settledMemory(fleet.engine, pids)).map(({ bytes }) => bytes);
  const before = await settled();
  const handlesBefore = pids.map(handles);
  tools.say(`${size.sockets} sockets …`);
  const swarm = await openSwarm(fleet, size.sockets, tools.seed);
  await pause(RUN.quietMs);
  const after = await settled();
  const sockets = pids.map((pid, index) => handles(pid) - handlesBefore[index]!);
  const mean = (sumOf(after) - sumOf(before)) / size.sockets;
  swarm.end();
  return {
    measured: { bytesBefore: before, bytesAfter: after, sockets, bytesPerSocket: mean },
    broken: swarm.breaches.map(({ viewer, channel, rule, what }) => `${viewer} on ${channel}: ${rule}, ${what}`),
    missed: mean > RUN.bytesMax ? [`an idle socket takes ${kib(mean)} KiB of ${kib(RUN.bytesMax)}`] : [],
    rows: [
      ['api process', 'sockets', 'settled memory before, MiB', 'with sockets', 'KiB a socket'],
      ...pids.map((_pid, index) => [String(index + 1), String(sockets[index]), mib(before[index]!), mib(after[index]!), kib((after[index]! - before[index]!) / sockets[index]!)]),
      ['all', String(sumOf(sockets)), mib(sumOf(before)), mib(sumOf(after)), kib(mean)],
    ],
  };
}));

async function openSwarm(fleet: LiveFleet, sockets: number, seed: number): Promise<Swarm> {
  const swarm = new Swarm({
    viewers: sockets, addresses: [fleet.address], userIdOf: shopperId, channelsOf: (index) => [`user:${shopperId(index)}`, `room:${RUN.room}`], random: seededRandom(seed),
  });
  await swarm.open(RUN.connectMs);
  return swarm;
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
const kib = (bytes: number): string => (bytes / 2 ** 10).toFixed(1);
