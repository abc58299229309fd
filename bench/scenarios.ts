import type { Latency } from './latency.js';
import type { Measured, Rig } from './rig.js';
import { BATCH_EVENTS, type Size } from './sizes.js';

/** An event as the streams carry it, bytes of its JSON. */
const EVENT_BYTES = 150;

export const SCENARIOS = ['recommend', 'decide', 'page', 'events', 'eventsBatch', 'socket', 'push'] as const;
export type ScenarioName = (typeof SCENARIOS)[number];

/** What one side did in one round. */
export interface Sample {
  /** Requests a second in a closed loop (events a second for batches). */
  readonly throughput: number;
  /** CPU time of the server process per request (per event for batches), µs. */
  readonly cpuMicroseconds: number;
  /** Open loop at `rate` requests a second, ms. */
  readonly rate: number;
  readonly latency: Latency;
  readonly errors: number;
  readonly error?: string | undefined;
}

/** Of the socket: to the acknowledgement, and to the pushed list. */
export interface SocketSample { readonly rate: number; readonly ack: Latency; readonly push: Latency; readonly errors: number; readonly error?: string | undefined }
/** From an event to the offer it brings, beside a bare message through Redis. */
export interface PushSample { readonly rate: number; readonly hop: Latency; readonly offer: Latency; readonly errors: number; readonly error?: string | undefined }
/** Of the bare pipeline. */
export interface PipelineSample { readonly throughput: number; readonly cpuMicroseconds: number }

export interface Round {
  readonly floor: Sample;
  readonly recommend?: Sample;
  readonly decide?: Sample;
  /** What one decision, and one request of the floor, takes when nobody else is served: one connection, one after another, ms. */
  readonly alone?: { readonly floor: Latency; readonly decide: Latency };
  readonly page?: Sample;
  readonly events?: Sample;
  readonly ingestFloor?: PipelineSample;
  readonly eventsBatch?: Sample;
  readonly socket?: SocketSample;
  readonly push?: PushSample;
}

/** Rates of the open loops, found before the first round and kept through all. */
export interface Rates {
  /** Half of what the floor does at most. */
  readonly floorHalf: number;
  /** Half of what the engine takes in batches at most, requests a second. */
  readonly batchHalf: number;
}

/** Finds the rates; it also warms everything up. */
export async function calibrate(rig: Rig, size: Size, wanted: readonly ScenarioName[]): Promise<Rates> {
  const { connections, batchConnections } = size;
  await rig.http('floor', { connections });
  const floor = await rig.http('floor', { connections });
  for (const name of ['recommend', 'decide'] as const) if (wanted.includes(name)) await rig.http(name, { connections });
  const batch = wanted.includes('eventsBatch') ? await rig.http('eventsBatch', { connections: batchConnections }) : undefined;
  return { floorHalf: Math.round(floor.throughput / 2), batchHalf: Math.max(1, Math.round((batch?.throughput ?? 2) / 2)) };
}

/** Everything once: floors first in even rounds, last in odd ones. */
export async function measureRound(rig: Rig, { size, rates, wanted, index }: { size: Size; rates: Rates; wanted: readonly ScenarioName[]; index: number }): Promise<Round> {
  const { connections, batchConnections } = size;
  const half = rates.floorHalf;
  const has = (name: ScenarioName): boolean => wanted.includes(name);
  const round: { -readonly [Name in keyof Round]: Round[Name] } = {} as Round;
  // Each load stands next to the one it is compared with, closed loops beside closed loops.
  const closed = new Map<string, Measured>();
  const open = new Map<string, Measured>();
  const http = (['floor', ...(['decide', 'recommend', 'page', 'events'] as const).filter(has)] as const);
  const steps: (() => Promise<void>)[] = [
    ...http.map((name) => async () => { closed.set(name, await rig.http(name, { connections })); }),
    ...http.map((name) => async () => { open.set(name, await rig.http(name, { connections, rate: half })); }),
  ];
  const alone = new Map<string, Measured>();
  if (has('decide')) steps.push(...(['floor', 'decide'] as const).map((name) => async () => { alone.set(name, await rig.http(name, { connections: 1 })); }));
  if (has('eventsBatch')) {
    steps.push(
      async () => {
        const { eventsPerSecond, eventsPerCpuSecond } = await rig.ingestFloor(EVENT_BYTES);
        round.ingestFloor = { throughput: eventsPerSecond, cpuMicroseconds: 1e6 / eventsPerCpuSecond };
      },
      async () => { closed.set('eventsBatch', await rig.http('eventsBatch', { connections: batchConnections })); },
      async () => { open.set('eventsBatch', await rig.http('eventsBatch', { connections: batchConnections, rate: rates.batchHalf })); },
    );
  }
  if (has('push')) steps.push(async () => { round.push = { ...await rig.push(), rate: size.socketRate }; });
  if (has('socket')) steps.push(async () => { round.socket = { ...await rig.socket(), rate: size.socketRate }; });
  for (const step of index % 2 === 0 ? steps : steps.toReversed()) await step();
  for (const name of http) round[name] = sample(closed.get(name)!, open.get(name)!, half, 1);
  if (has('decide')) round.alone = { floor: alone.get('floor')!.latency, decide: alone.get('decide')!.latency };
  if (has('eventsBatch')) round.eventsBatch = sample(closed.get('eventsBatch')!, open.get('eventsBatch')!, rates.batchHalf, BATCH_EVENTS);
  return round;
}

function sample(closed: Measured, open: Measured, rate: number, perRequest: number): Sample {
  return {
    throughput: closed.throughput * perRequest, cpuMicroseconds: closed.cpuMicroseconds / perRequest,
    rate, latency: open.latency, errors: closed.errors + open.errors, error: closed.error ?? open.error,
  };
}
