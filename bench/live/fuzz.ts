import { setTimeout as pause } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import { connectRedis, untilReady, type RedisClient } from '../../src/redis/client.js';
import { ChannelLog, roomChannel, shopperChannel } from '../../src/redis/channel-log.js';
import { makeKeys } from '../../src/redis/keys.js';
import { ProfileStore } from '../../src/redis/profile-store.js';
import { seededRandom } from '../../src/util/random.js';
import { JWT, signToken } from '../../test/helpers/tokens.js';
import { PREFIX } from '../store.js';
import { LiveFleet } from './fleet.js';
import { FrozenCores } from './frozen-cores.js';
import { FuzzClient } from './fuzz-client.js';
import { FuzzFrames, type FuzzKind } from './fuzz-frames.js';
import { putFirst, stallsIn, WATCHED, type Stall } from './processes.js';
import { scenario, type Outcome, type Tools } from './scenario.js';
import { COLLECTING, settledMemory } from './settled-memory.js';
import { Swarm } from './swarm.js';

const SIZE = { frames: 1_000_000, clients: 48, canaries: 8 };
type Size = typeof SIZE;

const FUZZ = {
  /** Every shopper is sent a secret this often, ms. */
  secretEveryMs: 500,
  /** What the engine says of its delays is read this often, ms: it is kept for a while only. */
  stallsEveryMs: 200,
  /** Aim: the event loop is never held up for longer by what the process itself does, ms. */
  delayMsMax: 50,
  tokenLifeS: 86_000,
  sayEvery: 100_000,
} as const;
const ENV = { JWT_KEY: JWT.key, JWT_LIFE_S_MAX: '86400', LOG_LEVEL: 'error' };
const MB = 2 ** 20;
const KEYS = makeKeys(PREFIX);
const NO_STALL = { at: 0, delayMs: 0, ownMs: 0, gcMs: 0, frozenMs: 0 };
const PUBLIC_ROOM = 'lobby';
const INVITED_ROOM = 'backstage';

export const fuzz = scenario('frames that clients should not send, from many shoppers at once', SIZE, async (size: Size, tools: Tools): Promise<Outcome> => {
  const fleet = await LiveFleet.start({ apis: 1, env: ENV, nodeArgs: [...tools.nodeArgs, ...COLLECTING, ...WATCHED] });
  const redis = connectRedis(fleet.redis.url, 'commands', { timeoutMs: 10_000, name: 'bench' });
  const cores = new FrozenCores();
  try {
    await untilReady(redis, 10_000);
    for (const [id, access] of [[PUBLIC_ROOM, 'public'], [INVITED_ROOM, 'invited']] as const) {
      await fleet.ask('POST', '/v1/rooms', { id, title: id, host: { id: 'host', name: 'Host' }, category: ['Live'], products: [], access });
      await fleet.ask('POST', `/v1/rooms/${id}/open`);
    }
    return await new Fuzz(fleet, redis, cores, size, tools).run();
  } finally {
    cores.end();
    redis.disconnect();
    await fleet.stop();
  }
});

/** Names of shoppers differ in nothing but the number: what one of them may is as near as can be to what another has. */
const shopper = (index: number): string => `f${index}`;
const canary = (index: number): string => `c${index}`;
/** Never here: whatever is known of them was said by others. */
const ABSENT = ['a0', 'a1', 'a2', 'a3'];

/** Tokens that do not count, of a shopper who exists. */
async function forgedTokens(sub: string): Promise<string[]> {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = await Promise.all([
    signToken({ sub }, { key: 'x'.repeat(48) }), signToken({ sub }, { lifeS: -600 }), signToken({ sub, aud: 'another' }), signToken({ sub }, { algorithm: 'HS512' }), signToken({ sub, anon: 'x' }),
  ]);
  return [...signed, 'a.b.c', `${part({ alg: 'none' })}.${part({ sub, aud: JWT.audience, exp: 4e9 })}.`];
}

class Fuzz {
  readonly #fleet: LiveFleet;
  readonly #redis: RedisClient;
  readonly #cores: FrozenCores;
  readonly #size: Size;
  readonly #tools: Tools;
  /** Begins what only one shopper, or nobody here, may read; what is fuzzed cannot hold it. */
  readonly #mark = `secret-${randomBytes(8).toString('hex')}-of-`;
  readonly #kinds = new Map<FuzzKind, number>();
  readonly #closes = new Map<number, number>();
  readonly #broken = new Set<string>();
  #done = 0;
  #ownSecrets = 0;
  readonly #stalls = new Map<number, Stall>();
  /** From when to when a collection was under way that we have asked for: what it holds up is ours. */
  readonly #collections: [number, number][] = [];
  #halfway = Promise.resolve();
  #isOver = false;
  readonly #rssMb = { before: NaN, half: NaN, after: NaN };

  constructor(fleet: LiveFleet, redis: RedisClient, cores: FrozenCores, size: Size, tools: Tools) {
    this.#fleet = fleet;
    this.#redis = redis;
    this.#cores = cores;
    this.#size = size;
    this.#tools = tools;
  }

  async run(): Promise<Outcome> {
    const { frames, clients, canaries } = this.#size;
    const canariesHere = await this.#canaries();
    await canariesHere.open(30_000);
    const fuzzers = await this.#clients();
    await this.#noteRss('before');
    this.#fleet.engine.proc.once('exit', this.#crashed);
    for (const pid of this.#fleet.apiPids) putFirst(pid);
    const startedAt = performance.now();
    const beside = [this.#tellSecrets(), this.#watchStalls(Date.now())];
    try {
      await Promise.all(fuzzers.map((client) => client.run(() => this.#isOver)));
    } catch (error) {
      this.#broken.add(String(error));
    }
    this.#isOver = true;
    await Promise.all([...beside, this.#halfway]);
    const seconds = (performance.now() - startedAt) / 1000;
    await this.#noteRss('after');
    await this.#verify(canariesHere);
    canariesHere.end();
    this.#fleet.engine.proc.off('exit', this.#crashed);
    const stalls = this.#ownStalls();
    const longestOf = (of: 'delayMs' | 'ownMs'): typeof NO_STALL => stalls.reduce((most, stall) => (stall[of] > most[of] ? stall : most), NO_STALL);
    const [delay, own] = [longestOf('delayMs'), longestOf('ownMs')];
    const measured = {
      frames: this.#done, kinds: Object.fromEntries(this.#kinds), closes: Object.fromEntries(this.#closes), secretsRead: this.#ownSecrets,
      seconds, stalls, areCoresWatched: this.#cores.isWatched, rssMb: this.#rssMb,
    };
    const connections = [...this.#closes.values()].reduce((sum, count) => sum + count, 0);
    return {
      measured, broken: [...this.#broken],
      missed: own.ownMs > FUZZ.delayMsMax ? [`the process held up its event loop for ${own.ownMs} ms (aim: ${FUZZ.delayMsMax}), in collections for ${own.gcMs} ms, when it was late by ${own.delayMs} ms`] : [],
      rows: [
        ['frames', 'clients', 'canaries', 'frames/s', 'connections', 'own secrets read', 'longest delay, ms', 'cores frozen then', 'longest by itself', 'settled RSS before, MB', 'at half', 'after'],
        [frames, clients, canaries, Math.round(this.#done / seconds), connections, this.#ownSecrets, delay.delayMs, this.#cores.isWatched ? delay.frozenMs : 'not watched', own.ownMs, ...Object.values(this.#rssMb).map((mb) => mb.toFixed(0))].map(String),
      ],
    };
  }

  /** Delays of the loop, without what the host of this machine and our own questions had of them. */
  #ownStalls(): (typeof NO_STALL)[] {
    return [...this.#stalls.values()].filter(({ at }) => !this.#collections.some(([from, to]) => from <= at && at <= to)).map((stall) => {
      // Of a collection helpers on the other core have their part.
      const frozenMs = Math.round(this.#cores.frozenMs(stall.at - stall.delayMs, stall.at, stall.gcMs > 0 ? 'any' : 'one'));
      return { ...stall, ownMs: Math.max(0, Math.min(stall.ownMs, stall.delayMs - frozenMs)), frozenMs };
    });
  }

  readonly #crashed = (): void => {
    this.#broken.add(`the engine has ended: ${this.#fleet.engine.output()}`);
    this.#isOver = true;
  };

  /** Memory after a collection: what is garbage is no leak. */
  async #noteRss(when: 'before' | 'half' | 'after'): Promise<void> {
    if (this.#isOver && this.#broken.size > 0) return;
    const askedAt = Date.now();
    const [settled] = await settledMemory(this.#fleet.engine, this.#fleet.apiPids);
    this.#rssMb[when] = settled!.bytes / MB;
    this.#collections.push([askedAt, Date.now()]);
  }

  /** Shoppers who do nothing wrong. Whatever happens beside them, they get what is theirs, whole and in order. */
  async #canaries(): Promise<Swarm> {
    const tokens = await Promise.all(Array.from({ length: this.#size.canaries }, (_, index) => signToken({ sub: canary(index) }, { lifeS: FUZZ.tokenLifeS })));
    return new Swarm({
      viewers: this.#size.canaries, addresses: [this.#fleet.address], userIdOf: canary, tokenOf: (index) => tokens[index]!, random: seededRandom(this.#tools.seed),
      channelsOf: (index) => [`user:${canary(index)}`, `room:${PUBLIC_ROOM}`],
      onFrame: (viewer, _head, frame) => { this.#look(viewer.userId, frame); },
    });
  }

  async #clients(): Promise<FuzzClient[]> {
    const { clients, canaries, frames } = this.#size;
    const names = [
      ...Array.from({ length: clients }, (_, index) => shopper(index)), ...Array.from({ length: canaries }, (_, index) => canary(index)),
      ...ABSENT, PUBLIC_ROOM, 'i1', 'i2', ...Array.from({ length: clients / 4 }, () => INVITED_ROOM),
    ];
    const forged = await forgedTokens(canary(0));
    return Promise.all(Array.from({ length: clients }, async (_, index) => {
      const token = await signToken({ sub: shopper(index) }, { lifeS: FUZZ.tokenLifeS });
      const random = seededRandom(this.#tools.seed * 1000 + index);
      return new FuzzClient({
        address: this.#fleet.address, shopper: shopper(index), token, random, channels: [`user:${shopper(index)}`, `room:${PUBLIC_ROOM}`],
        frames: new FuzzFrames({ random, names, tokens: [token, ...forged] }),
        onFrame: (client, frame) => { this.#look(client.shopper, frame); },
        onClosed: (code) => { count(this.#closes, code, 1); },
        onDone: (kinds) => {
          for (const kind of kinds) count(this.#kinds, kind, 1);
          const before = this.#done;
          this.#done += kinds.length;
          if (Math.floor(before / FUZZ.sayEvery) < Math.floor(this.#done / FUZZ.sayEvery)) this.#tools.say(`${this.#done} frames …`);
          if (before < frames / 2 && this.#done >= frames / 2) this.#halfway = this.#noteRss('half');
          this.#isOver ||= this.#done >= frames;
        },
      });
    }));
  }

  /** Whose is it? */
  #look(reader: string, frame: Buffer): void {
    const at = frame.indexOf(this.#mark);
    if (at >= 0) {
      const owner = frame.toString('utf8', at + this.#mark.length, frame.indexOf(';', at));
      if (owner === reader) this.#ownSecrets += 1;
      else this.#broken.add(`${reader} was sent what is of ${owner}`);
    }
    if (frame.includes('"code":"internal"')) this.#broken.add(`went wrong inside: ${frame.toString().slice(0, 300)}`);
  }

  async #tellSecrets(): Promise<void> {
    const log = new ChannelLog(this.#redis, Date.now);
    const { clients, canaries } = this.#size;
    const shoppers = [...Array.from({ length: clients }, (_, index) => shopper(index)), ...Array.from({ length: canaries }, (_, index) => canary(index))];
    while (!this.#isOver) {
      await Promise.all(shoppers.map((name) => log.publish(shopperChannel(KEYS, `u:${name}`), 'offer', { offer: { id: 'x', title: `${this.#mark}${name};` } })));
      await log.publish(roomChannel(KEYS, INVITED_ROOM), 'comments', { comments: [{ text: `${this.#mark}the invited;` }] });
      await pause(FUZZ.secretEveryMs);
    }
  }

  async #watchStalls(startedAt: number): Promise<void> {
    do {
      await pause(FUZZ.stallsEveryMs);
      for (const stall of stallsIn(this.#fleet.engine.output())) if (stall.at >= startedAt) this.#stalls.set(stall.at, stall);
    } while (!this.#isOver);
  }

  /** The engine is well, and nobody did anything in another's name. */
  async #verify(canaries: Swarm): Promise<void> {
    const engine = this.#fleet.engine;
    if (engine.output().includes('"level":50')) this.#broken.add(`the engine logged an error: ${engine.output().slice(0, 2000)}`);
    if (this.#ownSecrets === 0) this.#broken.add('no shopper was sent what is theirs: nothing was proved');
    for (const { viewer, channel, rule, what } of canaries.breaches) this.#broken.add(`${viewer} on ${channel}: ${rule}, ${what}`);
    if (canaries.closes.size > 0) this.#broken.add(`canaries were thrown out: ${JSON.stringify([...canaries.closes])}`);
    const profiles = new ProfileStore(this.#redis, KEYS, { profileTtlS: 1, streamEntriesMax: 1 });
    for (const name of ABSENT) {
      for (const key of [`u:${name}`, `a:${name}`]) if (await profiles.read(key) !== null) this.#broken.add(`somebody wrote events of ${key}`);
    }
  }
}

function count<Key>(counts: Map<Key, number>, key: Key, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
