import { join } from 'node:path';
import { AppError } from './errors.js';
import { tokenKey } from './token-key.js';
import { isClusterUrl, parseClusterUrl } from './util/cluster-url.js';

/**
 * The only reader of the environment. Every setting has a default and a unit; a value that does not fit stops the
 * start with a message that names it. `SETTINGS` is also what the documentation lists.
 */
interface Setting { readonly fallback: string; readonly about: string }

export const SETTINGS = {
  ROLE: { fallback: 'both', about: 'api, worker, or both (the api then starts a worker process)' },
  API_PROCESSES: { fallback: '1', about: 'api processes that share the port; above 1 a primary process starts and keeps them (`npm start -- --workers N`)' },
  HOST: { fallback: '127.0.0.1', about: 'address to listen on; anything but loopback needs API_KEYS' },
  PORT: { fallback: '8080', about: 'port; 0 picks a free one' },
  REDIS_URL: { fallback: '', about: 'redis:// or rediss:// address, or of a Redis Cluster redis-cluster:// (rediss-cluster:// by TLS) with some of its nodes, comma-separated; `npm start` brings its own when empty' },
  KEY_PREFIX: { fallback: 'rivulet:', about: 'prefix of every key' },
  API_KEYS: { fallback: '', about: 'comma-separated key:scope+scope (scopes: events, recommend, catalog, users, offers, host, admin); empty: open, loopback only' },
  JWT_KEY: { fallback: '', about: 'key that shoppers\' tokens are verified with: a secret of 32 bytes or more for HS256, else a public key in PEM (`\\n` may stand for its line breaks); empty: no tokens' },
  JWT_ALGORITHM: { fallback: 'HS256', about: 'the one algorithm of tokens: HS256, RS256, ES256 or EdDSA' },
  JWT_AUDIENCE: { fallback: 'rivulet', about: '`aud` that tokens must be for' },
  JWT_ISSUER: { fallback: '', about: '`iss` that tokens must be from; empty: anybody with the key' },
  JWT_LIFE_S_MAX: { fallback: '900', about: 'a token whose `exp` is further away is refused, s' },
  CORS_ORIGINS: { fallback: '', about: 'comma-separated origins of storefronts, e.g. https://shop.example; also the allowlist of the socket and of SSE' },
  DATA_DIR: { fallback: '.data', about: 'folder of the event archive' },
  MODEL_DIR: { fallback: 'models/default', about: 'folder of the ranking model that serves until another is promoted' },
  MODELS_DIR: { fallback: '', about: 'folder of trained versions and of which of them serves; empty: `models` in DATA_DIR' },
  DEMO: { fallback: '0', about: '1: fill an empty store with the demo shop and its shoppers' },
  LOG_LEVEL: { fallback: 'info', about: 'trace, debug, info, warn, error, fatal or silent' },
  BODY_BYTES_MAX: { fallback: '4194304', about: 'bytes of a JSON body' },
  NDJSON_BYTES_MAX: { fallback: '67108864', about: 'bytes of an NDJSON body' },
  SOCKETS_PER_IP_MAX: { fallback: '1000', about: 'sockets of one address (of IPv6 one /64 network) in one process, loopback not counted; behind a proxy the address is the proxy\'s; 0: any number' },
  REQUESTS_PER_MINUTE_MAX: { fallback: '0', about: 'requests a minute per key or address, over all processes; 0: no limit' },
  RECOMMEND_DEADLINE_MS: { fallback: '150', about: 'a ranking that takes longer answers from the next rung of the ladder, ms' },
  CANDIDATES_MAX: { fallback: '200', about: 'candidates ranked per request (at most 512)' },
  REDIS_TIMEOUT_MS: { fallback: '1000', about: 'a Redis command without a reply by then is unknown, ms; a process that is starting waits for up to 30 s' },
  PROFILE_TTL_DAYS: { fallback: '400', about: 'a profile is forgotten this long after its last event, days' },
  STREAM_ENTRIES_MAX: { fallback: '1000000', about: 'unarchived events per partition before new ones are refused' },
  CART_ABANDONED_AFTER_S: { fallback: '1800', about: 'pause after the last change of a cart, or step of a checkout, before a message, s; 15 in the demo store' },
  OFFER_COOLDOWN_S: { fallback: '86400', about: 'at least this long between two messages to a shopper of a campaign about carts or prices, s' },
  WEBHOOK_LOOPBACK: { fallback: '0', about: '1: webhooks may go to this machine itself, by http, too: for tests and development' },
  CONTACTS_PER_DAY_MAX: { fallback: '5', about: 'offers and messages to a shopper in 24 hours, over all channels; 0: no cap' },
  CONTACTS_PER_WEEK_MAX: { fallback: '20', about: 'the same in 7 days' },
  QUIET_HOURS: { fallback: '', about: 'local hours in which nothing is pushed, e.g. 22-8; empty: none' },
  STORE_CURRENCY: { fallback: '', about: 'ISO 4217 currency of the store, e.g. EUR: of whatever states none, and the only one that is added up; set it before the first event; empty: what states none has two decimals' },
  STORE_TIMEZONE: { fallback: 'UTC', about: 'IANA time zone of shoppers who have not said theirs' },
  CONSENT_REQUIRED: { fallback: '0', about: '1: nothing is pushed without a stated consent to marketing; 0: unless it was refused' },
  DECISION_DEADLINE_MS: { fallback: '50', about: 'a decision beside a list that takes longer is left out of the reply, ms' },
  CUE_CHUNK_DEADLINE_MS: { fallback: '500', about: 'time that some hundred viewers of a cue get to be decided and claimed for; then they get its default offer, ms' },
  DECISION_HOLDOUT: { fallback: '0', about: 'share of shoppers who are decided no offers at all, to measure the effect of offers (0 to 0.5)' },
  RESPONSE_MODEL_DIR: { fallback: 'models/response', about: 'folder of the model that answers how likely an offer is taken; without one a stated prior does' },
  CLAIM_WAIT_REPLICAS: { fallback: '0', about: 'replicas that must have a claim before it is handed out; 0: a promoted replica may forget some' },
  CLAIM_WAIT_MS: { fallback: '100', about: 'time they get; then the claim is pending, ms' },
  CLAIMS_PER_MINUTE: { fallback: 'user=120,device=120', about: 'claims a minute of a shopper, a device and an address (user=, device=, ip=), over all processes; none named, or 0: any number' },
  EVENTS_PER_MINUTE: { fallback: '', about: 'events a minute, likewise; the device is `context.deviceId`; behind a proxy the address is the proxy\'s' },
  RISK_FLAG_SCORE: { fallback: '0.8', about: 'risk score (0 to 1) from which on a shopper is flagged: no rewards, no offers, not counted, not learnt from' },
  RISK_EVENTS_PER_MINUTE: { fallback: '20', about: 'acts a minute, held for half an hour, that no hand makes' },
  RISK_REFUND_SHARE: { fallback: '0.8', about: 'share of the purchases of 90 days that are refunded, at which it looks like farming …' },
  RISK_REFUNDS_MIN: { fallback: '3', about: '… from so many refunds on …' },
  RISK_REFUNDED_MINOR_MIN: { fallback: '10000', about: '… and from this amount refunded in all, minor units' },
  STATISTICS_EVERY_S: { fallback: '86400', about: 'neighbours and popularity, which follow the events, are counted anew from the archive, s' },
  TRENDING_EVERY_MS: { fallback: '2000', about: 'publication of trending lists, ms' },
  TRAIN_EVERY_S: { fallback: '86400', about: 'training of a new model on the archive, s; 0: never' },
  DEED_WORTH: { fallback: '1,2,4', about: 'worth of a click, of putting into the cart and of buying, each with what came before it, where models are trained and compared' },
  TRAIN_EVENTS_MIN: { fallback: '10000', about: 'events before the latest day that training needs' },
  SHADOW_REQUESTS: { fallback: '1000', about: 'requests that a new model scores beside the serving one before it may serve …' },
  SHADOW_S: { fallback: '3600', about: '… or time after which it may with fewer, s' },
  SEGMENT_SWEEP_EVERY_S: { fallback: '3600', about: 'interval at which shoppers without events are looked at for segments that time alone changes, s; 0 never' },
  ARCHIVE_DAYS: { fallback: '180', about: 'age at which archive files are deleted, days' },
  DRAIN_MS: { fallback: '20000', about: 'time that running requests get at shutdown, ms' },
} as const satisfies Record<string, Setting>;

type Name = keyof typeof SETTINGS;
/** Defaults of the demo store: who tries it out should not wait half an hour for an offer. */
const DEMO_FALLBACKS: Readonly<Partial<Record<Name, string>>> = { CART_ABANDONED_AFTER_S: '15' };
const DEMO_CURRENCY = 'EUR';
export const SCOPES = ['events', 'recommend', 'catalog', 'users', 'offers', 'host', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];
export const JWT_ALGORITHMS = ['HS256', 'RS256', 'ES256', 'EdDSA'] as const;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export const ROLES = ['api', 'worker', 'both'] as const;

/** How tokens of shoppers are verified; everything but the issuer is pinned. */
export interface TokenRules {
  /** A secret, or a public key in PEM, as the algorithm has it. */
  readonly key: string;
  readonly algorithm: (typeof JWT_ALGORITHMS)[number];
  readonly audience: string;
  readonly issuer: string | undefined;
  readonly lifeS: number;
}

/** Requests a minute of each. */
interface Velocities { readonly user: number; readonly device: number; readonly ip: number }

export interface Config {
  readonly role: (typeof ROLES)[number];
  readonly apiProcesses: number;
  readonly host: string;
  readonly port: number;
  readonly redisUrl: string;
  readonly keyPrefix: string;
  /** API key → its scopes; empty when the engine is open. */
  readonly apiKeys: ReadonlyMap<string, ReadonlySet<Scope>>;
  /** undefined: no tokens are taken. */
  readonly jwt: TokenRules | undefined;
  readonly corsOrigins: readonly string[];
  readonly dataDir: string;
  readonly modelDir: string;
  readonly modelsDir: string;
  readonly demo: boolean;
  readonly logLevel: string;
  readonly bodyBytesMax: number;
  readonly ndjsonBytesMax: number;
  /** 0: any number. */
  readonly socketsPerIpMax: number;
  readonly requestsPerMinuteMax: number;
  readonly recommendDeadlineMs: number;
  readonly candidatesMax: number;
  readonly redisTimeoutMs: number;
  readonly profileTtlS: number;
  readonly streamEntriesMax: number;
  readonly cartAbandonedAfterMs: number;
  readonly offerCooldownMs: number;
  readonly webhookLoopback: boolean;
  readonly contactCaps: { readonly perDayMax: number; readonly perWeekMax: number };
  /** Local hours; the same twice: none. */
  readonly quietHours: { readonly from: number; readonly until: number; readonly timezone: string };
  /** undefined: any, and two decimals where none is stated. */
  readonly storeCurrency: string | undefined;
  readonly consentRequired: boolean;
  readonly decisionDeadlineMs: number;
  readonly cueChunkDeadlineMs: number;
  readonly decisionHoldout: number;
  readonly responseModelDir: string;
  readonly claimWaitReplicas: number;
  readonly claimWaitMs: number;
  /** 0: any number. */
  readonly claimsPerMinute: Velocities;
  readonly eventsPerMinute: Velocities;
  readonly risk: { readonly flagScore: number; readonly eventsPerMinute: number; readonly refundShare: number; readonly refundsMin: number; readonly refundedMinorMin: number };
  readonly statisticsEveryMs: number;
  readonly trendingEveryMs: number;
  /** 0: never. */
  readonly trainEveryMs: number;
  /** What each deed is worth beyond those that it includes. */
  readonly deedValues: { readonly clicked: number; readonly carted: number; readonly bought: number };
  readonly trainEventsMin: number;
  readonly shadowRequests: number;
  readonly shadowMs: number;
  /** 0: never. */
  readonly segmentSweepEveryMs: number;
  readonly archiveDays: number;
  readonly drainMs: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

const valueOf = (env: Environment, name: Name): string =>
  env[name] ?? (env['DEMO'] === '1' ? DEMO_FALLBACKS[name] : undefined) ?? SETTINGS[name].fallback;

/** Where the engine keeps its files, and what it counts as success: all that a command beside the running engine needs to know. */
export function readPlaces(env: Environment = process.env): Pick<Config, 'dataDir' | 'modelDir' | 'modelsDir' | 'deedValues'> {
  const dataDir = valueOf(env, 'DATA_DIR');
  return {
    dataDir, modelDir: valueOf(env, 'MODEL_DIR'), modelsDir: valueOf(env, 'MODELS_DIR') || join(dataDir, 'models'),
    deedValues: readDeedValues(valueOf(env, 'DEED_WORTH')),
  };
}

function readDeedValues(text: string): Config['deedValues'] {
  const [clicked = NaN, carted = NaN, bought = NaN, ...more] = text.split(',').map(Number);
  if (!(clicked >= 0 && carted >= clicked && bought >= carted && bought > 0 && bought <= 1e6) || more.length > 0) {
    throw bad('DEED_WORTH', 'three numbers that do not fall, the last above 0, e.g. 1,2,4', text);
  }
  return { clicked, carted: carted - clicked, bought: bought - carted };
}

/** @throws AppError `invalid_request` naming the setting that does not fit */
export function readConfig(env: Environment = process.env): Config {
  const text = (name: Name): string => valueOf(env, name);
  const whole = (name: Name, min: number, max: number): number => {
    const value = Number(text(name));
    if (!Number.isInteger(value) || value < min || value > max) throw bad(name, `a whole number from ${min} to ${max}`, text(name));
    return value;
  };
  const share = (name: Name, max: number): number => {
    const value = Number(text(name));
    if (!(value >= 0 && value <= max)) throw bad(name, `a share from 0 to ${max}`, text(name));
    return value;
  };
  const oneOf = <Known extends string>(name: Name, known: readonly Known[]): Known => {
    const found = known.find((value) => value === text(name));
    if (found === undefined) throw bad(name, known.join(', '), text(name));
    return found;
  };
  const config: Config = {
    role: oneOf('ROLE', ROLES),
    apiProcesses: whole('API_PROCESSES', 1, 64),
    host: text('HOST'),
    port: whole('PORT', 0, 65_535),
    redisUrl: text('REDIS_URL'),
    keyPrefix: text('KEY_PREFIX'),
    apiKeys: readKeys(text('API_KEYS')),
    jwt: text('JWT_KEY') === '' ? undefined : { ...readTokenRules(text), lifeS: whole('JWT_LIFE_S_MAX', 10, 86_400) },
    corsOrigins: readOrigins(text('CORS_ORIGINS')),
    ...readPlaces(env),
    demo: whole('DEMO', 0, 1) === 1,
    logLevel: oneOf('LOG_LEVEL', LOG_LEVELS),
    bodyBytesMax: whole('BODY_BYTES_MAX', 1024, 2 ** 30),
    ndjsonBytesMax: whole('NDJSON_BYTES_MAX', 1024, 2 ** 30),
    socketsPerIpMax: whole('SOCKETS_PER_IP_MAX', 0, 1e6),
    requestsPerMinuteMax: whole('REQUESTS_PER_MINUTE_MAX', 0, 1e9),
    recommendDeadlineMs: whole('RECOMMEND_DEADLINE_MS', 1, 60_000),
    candidatesMax: whole('CANDIDATES_MAX', 1, 512),
    redisTimeoutMs: whole('REDIS_TIMEOUT_MS', 10, 60_000),
    profileTtlS: whole('PROFILE_TTL_DAYS', 1, 3650) * 86_400,
    streamEntriesMax: whole('STREAM_ENTRIES_MAX', 1000, 1e9),
    cartAbandonedAfterMs: whole('CART_ABANDONED_AFTER_S', 1, 86_400 * 30) * 1000,
    offerCooldownMs: whole('OFFER_COOLDOWN_S', 0, 86_400 * 365) * 1000,
    webhookLoopback: whole('WEBHOOK_LOOPBACK', 0, 1) === 1,
    contactCaps: { perDayMax: whole('CONTACTS_PER_DAY_MAX', 0, 1000), perWeekMax: whole('CONTACTS_PER_WEEK_MAX', 0, 1000) },
    quietHours: { ...readHours(text('QUIET_HOURS')), timezone: readTimezone(text('STORE_TIMEZONE')) },
    storeCurrency: readCurrency(text('STORE_CURRENCY')),
    consentRequired: whole('CONSENT_REQUIRED', 0, 1) === 1,
    decisionDeadlineMs: whole('DECISION_DEADLINE_MS', 1, 60_000),
    cueChunkDeadlineMs: whole('CUE_CHUNK_DEADLINE_MS', 10, 60_000),
    decisionHoldout: share('DECISION_HOLDOUT', 0.5),
    responseModelDir: text('RESPONSE_MODEL_DIR'),
    claimWaitReplicas: whole('CLAIM_WAIT_REPLICAS', 0, 16),
    claimWaitMs: whole('CLAIM_WAIT_MS', 1, 60_000),
    claimsPerMinute: readVelocities('CLAIMS_PER_MINUTE', text('CLAIMS_PER_MINUTE')),
    eventsPerMinute: readVelocities('EVENTS_PER_MINUTE', text('EVENTS_PER_MINUTE')),
    risk: {
      flagScore: share('RISK_FLAG_SCORE', 1), eventsPerMinute: whole('RISK_EVENTS_PER_MINUTE', 1, 1e6), refundShare: share('RISK_REFUND_SHARE', 1),
      refundsMin: whole('RISK_REFUNDS_MIN', 1, 1e6), refundedMinorMin: whole('RISK_REFUNDED_MINOR_MIN', 0, 1e12),
    },
    statisticsEveryMs: whole('STATISTICS_EVERY_S', 5, 86_400) * 1000,
    trendingEveryMs: whole('TRENDING_EVERY_MS', 100, 3_600_000),
    trainEveryMs: whole('TRAIN_EVERY_S', 0, 86_400 * 365) * 1000,
    trainEventsMin: whole('TRAIN_EVENTS_MIN', 1, 1e9),
    shadowRequests: whole('SHADOW_REQUESTS', 1, 1e9),
    shadowMs: whole('SHADOW_S', 1, 86_400 * 30) * 1000,
    segmentSweepEveryMs: whole('SEGMENT_SWEEP_EVERY_S', 0, 86_400 * 30) * 1000,
    archiveDays: whole('ARCHIVE_DAYS', 1, 36_500),
    drainMs: whole('DRAIN_MS', 100, 600_000),
  };
  if (config.redisUrl === '') throw bad('REDIS_URL', 'the address of a Redis 7 server, or a start by `npm start`, which brings one', '');
  if (!(/^redis(-cluster|s|s-cluster)?:\/\//u).test(config.redisUrl)) throw bad('REDIS_URL', 'redis://user:password@host:port, or rediss:// for TLS', '(not shown)');
  if (isClusterUrl(config.redisUrl) && parseClusterUrl(config.redisUrl) === undefined) {
    throw bad('REDIS_URL', 'redis-cluster://user:password@host:port,host:port, all but the hosts optional', '(not shown)');
  }
  if (config.demo && config.storeCurrency !== undefined && config.storeCurrency !== DEMO_CURRENCY) {
    throw bad('STORE_CURRENCY', `${DEMO_CURRENCY}, in which the demo shop is priced, or DEMO=0`, config.storeCurrency);
  }
  if (config.apiKeys.size === 0 && !isLoopback(config.host)) {
    throw new AppError('invalid_request', `HOST is ${config.host} but no API_KEYS are set: an open engine listens on loopback only. Set API_KEYS, or HOST=127.0.0.1.`);
  }
  return Object.freeze(config);
}

export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');

function readTokenRules(text: (name: Name) => string): Omit<TokenRules, 'lifeS'> {
  const algorithm = JWT_ALGORITHMS.find((known) => known === text('JWT_ALGORITHM'));
  if (algorithm === undefined) throw bad('JWT_ALGORITHM', JWT_ALGORITHMS.join(', '), text('JWT_ALGORITHM'));
  if (text('JWT_AUDIENCE') === '') throw bad('JWT_AUDIENCE', 'the audience that tokens are for', '');
  const key = text('JWT_KEY');
  // Asked for its refusal.
  tokenKey(key, algorithm);
  return { key, algorithm, audience: text('JWT_AUDIENCE'), issuer: text('JWT_ISSUER') || undefined };
}

/** As browsers send them: what ends with a path, be it `/`, or has a wildcard would be compared with them in vain. */
function readOrigins(text: string): string[] {
  const origins = list(text);
  const odd = origins.find((origin) => !(/^[a-z][a-z0-9+.-]*:\/\/[^/*\sA-Z]+$/u).test(origin));
  if (odd !== undefined) throw bad('CORS_ORIGINS', 'origins as browsers send them, e.g. https://shop.example,http://localhost:3000', odd);
  return origins;
}

function readHours(text: string): { from: number; until: number } {
  if (text === '') return { from: 0, until: 0 };
  const [from = NaN, until = NaN] = (/^(\d\d?)-(\d\d?)$/u.exec(text) ?? []).slice(1).map(Number);
  if (!(from < 24 && until < 24)) throw bad('QUIET_HOURS', 'two hours from 0 to 23, e.g. 22-8, or nothing', text);
  return { from, until };
}

function readVelocities(name: Name, text: string): Velocities {
  const found = { user: 0, device: 0, ip: 0 };
  for (const part of list(text)) {
    const [, subject, count] = /^(user|device|ip)=([0-9]{1,9})$/u.exec(part) ?? [];
    if (subject === undefined) throw bad(name, 'user=, device= and ip= with whole numbers, e.g. user=120,ip=600, or nothing', text);
    found[subject as keyof typeof found] = Number(count);
  }
  return found;
}

function readTimezone(text: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone;
  } catch {
    throw bad('STORE_TIMEZONE', 'an IANA time zone, e.g. Europe/Berlin', text);
  }
}

function readCurrency(text: string): string | undefined {
  if (text === '') return undefined;
  if (!Intl.supportedValuesOf('currency').includes(text)) throw bad('STORE_CURRENCY', 'an ISO 4217 currency in capitals, e.g. EUR, or nothing', text);
  return text;
}

function readKeys(text: string): Map<string, ReadonlySet<Scope>> {
  const keys = new Map<string, ReadonlySet<Scope>>();
  for (const entry of list(text)) {
    const [key, scopes] = entry.split(':');
    const known = (scopes ?? '').split('+').map((name) => SCOPES.find((scope) => scope === name));
    if (key === undefined || key.length < 8 || known.includes(undefined)) {
      throw bad('API_KEYS', `key:scope+scope with keys of 8 characters or more and scopes of ${SCOPES.join(', ')}`, '(not shown)');
    }
    keys.set(key, new Set(known.filter((scope) => scope !== undefined)));
  }
  return keys;
}

const list = (text: string): string[] => text.split(',').map((part) => part.trim()).filter((part) => part !== '');

const bad = (name: Name, expected: string, found: string): AppError =>
  new AppError('invalid_request', `Setting ${name} is "${found}"; expected ${expected}.`);
