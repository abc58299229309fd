import { LOG_LIMITS } from '../../src/redis/channel-log.js';
import { pause } from '../../src/util/pause.js';
import { seededRandom, type Random } from '../../src/util/random.js';
import { FaultProxy } from '../claims/fault-proxy.js';
import { shopperId } from '../workloads.js';
import { CUTS, nextCut, type Cut, type CutKind } from './cut-plan.js';
import { withFleet, type LiveFleet } from './fleet.js';
import { Publisher } from './publisher.js';
import type { Address } from './raw-socket.js';
import { scenario, type Outcome, type Tools } from './scenario.js';
import { openRoom } from './store.js';
import { Swarm } from './swarm.js';
import type { Viewer } from './viewer.js';

const SIZE = { clients: 200, cuts: 10_000, cutRate: 60, frameRate: 60, apis: 2 };
type Size = typeof SIZE;

const RUN = {
  room: 'stage',
  proxies: 8,
  connectMs: 60_000,
  /** Clients come back fast: the cuts are to be many. */
  backoff: { firstMs: 20, mostMs: 500 },
  paddingBytes: 150,
  /** Frames beyond what a log keeps that somebody away misses at least. */
  awaySpare: 5,
  /** Longest time that a connection stays half open, that a proxy holds things up, and from subscribing to the cut, ms. */
  halfOpenMs: 3000, heldUpMs: 300, subscribingMs: 6,
  /** Subscription connections to Redis are cut this often, ms. */
  hubCutEveryMs: 7000,
  /** Everybody is back and up to date by then after the last frame, ms. */
  calmMs: 60_000,
} as const;

const ROOM = `room:${RUN.room}`;

export const cuts = scenario('random cuts of connections: nothing missing, nothing twice, in order, or an honest no', SIZE, async (size: Size, tools: Tools): Promise<Outcome> => {
  return await withFleet({ apis: size.apis, nodeArgs: tools.nodeArgs }, async (fleet) => {
    await openRoom(fleet, RUN.room);
    const proxies = await Promise.all(Array.from({ length: RUN.proxies }, () => FaultProxy.start(fleet.address.port)));
    const run = new CutRun({ fleet, proxies, publisher: await Publisher.connect(fleet.redis.url), size, tools });
    try {
      return await run.run();
    } finally {
      run.end();
      await Promise.all(proxies.map((proxy) => proxy.stop()));
    }
  });
});

interface Parts {
  readonly fleet: LiveFleet;
  readonly proxies: readonly FaultProxy[];
  readonly publisher: Publisher;
  readonly size: Size;
  readonly tools: Tools;
}

/** Clients that lose their connections over and over while frames go on. */
class CutRun {
  readonly #parts: Parts;
  readonly #random: Random;
  readonly #swarm: Swarm;
  readonly #made: Record<CutKind, number> = Object.fromEntries(Object.keys(CUTS).map((kind) => [kind, 0])) as Record<CutKind, number>;
  /** Whoever is to be cut while it subscribes. */
  readonly #doomed = new Set<Viewer>();
  /** Whoever stays away until so many frames are published in the room. */
  readonly #away = new Map<Viewer, number>();
  readonly #broken: string[] = [];
  #frames = 0;
  #hubCuts = 0;
  /** Of those who stayed away. */
  #toldNo = 0;
  #isOver = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { fleet, proxies, publisher, size, tools } = parts;
    this.#random = seededRandom(tools.seed);
    const viaProxies: Address[] = proxies.map(({ port }) => ({ host: '127.0.0.1', port }));
    this.#swarm = new Swarm({
      viewers: size.clients, addresses: [...viaProxies, ...proxies.map(() => fleet.address)],
      userIdOf: shopperId, channelsOf: (index) => [`user:${shopperId(index)}`, ROOM], random: seededRandom(tools.seed + 1), backoff: RUN.backoff,
      onFrame: (_viewer, head, frame) => {
        this.#frames += 1;
        publisher.check(head, frame);
      },
      onGreeted: (viewer) => {
        if (this.#doomed.delete(viewer)) setTimeout(() => { viewer.socket?.reset(); }, this.#random() * RUN.subscribingMs);
      },
    });
  }

  async run(): Promise<Outcome> {
    const { size, tools, publisher } = this.#parts;
    await this.#swarm.open(RUN.connectMs);
    tools.say(`${size.clients} clients; ${size.cuts} cuts, ${size.cutRate} a second …`);
    const publishing = this.#publish();
    const cuttingHubs = this.#cutHubs();
    const startedAt = performance.now();
    for (let made = 0, told = 0; made < size.cuts;) {
      // A proxy cuts several at once: what counts is how many there were by now.
      await pause(Math.max(0, startedAt + (made / size.cutRate) * 1000 - performance.now()));
      made += await this.#cut(nextCut(this.#random));
      if (made - told >= size.cuts / 10) tools.say(`${told = made} cuts, ${this.#frames} frames, ${this.#swarm.breachCount} breaches`);
    }
    this.#isOver = true;
    await Promise.all([publishing, cuttingHubs]);
    for (const viewer of this.#away.keys()) viewer.connect();
    await publisher.settled();
    await this.#calm();
    return this.#outcome(publisher);
  }

  end(): void {
    this.#isOver = true;
    this.#swarm.end();
    this.#parts.publisher.end();
  }

  /** One frame to the room, one to somebody, in turn. */
  async #publish(): Promise<void> {
    const { size: { frameRate, clients }, publisher } = this.#parts;
    const random = seededRandom(this.#parts.tools.seed + 2);
    const padding = 'x'.repeat(RUN.paddingBytes);
    const startedAt = performance.now();
    for (let sent = 0; !this.#isOver; sent++) {
      publisher.publish(ROOM, padding);
      publisher.publish(`user:${shopperId(Math.floor(random() * clients))}`, padding);
      this.#callBack();
      await pause(startedAt + ((sent + 1) / frameRate) * 1000 - performance.now());
    }
  }

  /** Lets those come back who have missed more than a log keeps. */
  #callBack(): void {
    for (const [viewer, count] of this.#away) {
      if (this.#parts.publisher.published / 2 < count) continue;
      this.#away.delete(viewer);
      const { lost } = viewer.channels.get(ROOM)!;
      viewer.connect();
      void this.#count(viewer, lost);
    }
  }

  /** Counts whether somebody who is back was told that something is lost. */
  async #count(viewer: Viewer, lostBefore: number): Promise<void> {
    await viewer.untilLive();
    if (viewer.channels.get(ROOM)!.lost > lostBefore) this.#toldNo += 1;
  }

  async #cutHubs(): Promise<void> {
    const { publisher } = this.#parts;
    for (let at = performance.now() + RUN.hubCutEveryMs; !this.#isOver; await pause(50)) {
      if (performance.now() < at) continue;
      at += RUN.hubCutEveryMs;
      this.#hubCuts += 1;
      await publisher.cutSubscriptions();
    }
  }

  /** @returns how many connections were cut */
  async #cut({ kind, at, share }: Cut): Promise<number> {
    const made = kind === 'proxy' ? await this.#cutProxy(at, share) : this.#cutViewer(kind, this.#connected(at), share);
    this.#made[kind] += made;
    return made;
  }

  /** The viewer of that number, or the next one with a connection. */
  #connected(at: number): Viewer | undefined {
    const { viewers } = this.#swarm;
    for (let step = 0; step < viewers.length; step++) {
      const viewer = viewers[(at + step) % viewers.length]!;
      if (viewer.socket !== undefined && !this.#doomed.has(viewer)) return viewer;
    }
    return undefined;
  }

  #cutViewer(kind: Exclude<CutKind, 'proxy'>, viewer: Viewer | undefined, share: number): number {
    if (viewer?.socket === undefined) return 0;
    if (kind === 'closed') viewer.socket.destroy();
    else if (kind === 'reset') viewer.socket.reset();
    else if (kind === 'refused') viewer.socket.sendNonsense();
    else if (kind === 'subscribing') {
      this.#doomed.add(viewer);
      viewer.socket.destroy();
    } else {
      const deserted = viewer.desert();
      if (kind === 'deserted') viewer.connect();
      else this.#stayAway(viewer);
      setTimeout(() => { deserted?.destroy(); }, share * RUN.halfOpenMs).unref();
    }
    return 1;
  }

  #stayAway(viewer: Viewer): void {
    this.#away.set(viewer, this.#parts.publisher.published / 2 + LOG_LIMITS.framesMax + RUN.awaySpare);
  }

  async #cutProxy(at: number, share: number): Promise<number> {
    const proxy = this.#parts.proxies[at % this.#parts.proxies.length]!;
    proxy.weather = { kind: 'parted' };
    await pause(share * RUN.heldUpMs);
    const cut = proxy.cut();
    proxy.weather = { kind: 'clear' };
    return cut;
  }

  /** Everybody comes back and has everything. */
  async #calm(): Promise<void> {
    await this.#swarm.untilAllLive(RUN.calmMs);
    const deadline = performance.now() + RUN.calmMs;
    let behind = this.#behind();
    while (behind.length > 0 && performance.now() < deadline) {
      await pause(50);
      behind = this.#behind();
    }
    this.#broken.push(...behind.map((what) => `${what}, ${RUN.calmMs} ms after the last frame`));
  }

  #behind(): string[] {
    const { publisher } = this.#parts;
    return this.#swarm.viewers.flatMap(({ userId, channels }) => [...channels].flatMap(([channel, { position }]) => {
      const head = publisher.headOf(channel);
      const isThere = head === undefined || (position?.epoch === head.epoch && position.offset === head.offset);
      return isThere ? [] : [`${userId} on ${channel} is at ${position?.offset} of ${head.offset}`];
    }));
  }

  #outcome(publisher: Publisher): Outcome {
    const { resumes, breaches, breachCount, errors, closes } = this.#swarm;
    const broken = [...this.#broken, ...publisher.broken.slice(0, 20), ...breaches.map(({ viewer, channel, rule, what }) => `${viewer} on ${channel}: ${rule}, ${what}`)];
    if (this.#made.away > 0 && this.#toldNo === 0) broken.push('nobody who stayed away too long was told so');
    // "Not now, come back" is an answer, too: whoever came back has everything.
    for (const [text, times] of errors) if (!text.includes('"retryable":true')) broken.push(`${times} × ${text}`);
    const cutCount = Object.values(this.#made).reduce((sum, count) => sum + count, 0);
    const measured = { cuts: this.#made, hubCuts: this.#hubCuts, published: publisher.published, delivered: this.#frames, resumes, toldNoAfterLong: this.#toldNo, breaches: breachCount, errors: Object.fromEntries(errors), closes: Object.fromEntries(closes) };
    return {
      measured, broken, missed: [],
      rows: [
        ['cuts', ...Object.keys(CUTS), 'of hubs', 'published', 'delivered', 'resumed', 'told no', 'breaches'],
        [String(cutCount), ...Object.values(this.#made).map(String), ...[this.#hubCuts, publisher.published, this.#frames, resumes.recovered, resumes.lost, breachCount].map(String)],
      ],
    };
  }
}
