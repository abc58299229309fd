import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SCENES } from '../src/domain/scene.js';
import type { OfferInput } from '../src/domain/offer.js';
import { GraphBuilder } from '../src/learn/onnx.js';
import { saveModel } from '../src/learn/save-model.js';
import { OFFER_FEATURES } from '../src/offers/decide/offer-features.js';
import { USER_FEATURES } from '../src/profile/vector.js';
import { gaussian, seededRandom } from '../src/util/random.js';
import { itemId, shopperId } from './workloads.js';

/** Offers that are live: a busy store's. */
export const OFFERS = 50;
const LIVE_MS_MAX = 30_000;
const HOUR_MS = 3_600_000;
/** Of the response model's hidden layers: the ranker's. */
const HIDDEN = [128, 64] as const;

/** Writes a response model of the usual size; what it says is chance. @returns its folder, which the caller removes */
export async function writeResponseModel(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rivulet-bench-model-'));
  const random = seededRandom(4);
  const graph = new GraphBuilder('response');
  graph.input('user', [1, USER_FEATURES.length]);
  graph.input('items', ['N', OFFER_FEATURES.length]);
  graph.output('score', ['N']);
  const weights = (name: string, rows: number, columns: number): string =>
    graph.floats(name, Float32Array.from({ length: rows * columns }, () => (gaussian(random) * 0.5) / Math.sqrt(rows)), [rows, columns]);
  const [first, second] = HIDDEN;
  const sum = graph.op('Add', [graph.op('MatMul', ['items', weights('w1', OFFER_FEATURES.length, first)]), graph.op('MatMul', ['user', weights('u1', USER_FEATURES.length, first)])]);
  const hidden = graph.op('Relu', [graph.op('MatMul', [graph.op('Relu', [sum]), weights('w2', first, second)])]);
  const score = graph.op('Squeeze', [graph.op('MatMul', [hidden, weights('w3', second, 1)]), graph.integers('axis', [1])]);
  graph.op('Sub', [score, graph.floats('offset', [2], [])], {}, 'score');
  await saveModel(folder, {
    onnx: graph.model(), golden: [{ name: 'zeros', user: USER_FEATURES.map(() => 0), items: [OFFER_FEATURES.map(() => 0)] }],
    manifest: {
      name: 'bench-response', version: '1', userFeatures: [...USER_FEATURES], itemFeatures: [...OFFER_FEATURES],
      trainedAt: '2026-01-01T00:00:00Z', data: { source: 'chance' }, metrics: {}, licence: 'Apache-2.0',
    },
  });
  return folder;
}

/** Puts the offers in and waits until they are live. */
export async function putOffers(url: string, items: number, now: number): Promise<void> {
  for (let index = 0; index < OFFERS; index++) {
    await post(`${url}/v1/offers`, anOffer(index, items, now));
    await post(`${url}/v1/offers/offer-${index}/activate`, undefined);
  }
  const deadline = Date.now() + LIVE_MS_MAX;
  for (;;) {
    const { explain } = await post(`${url}/v1/decisions`, { userId: shopperId(0), scene: 'home', explain: true }) as { explain: { offers: unknown[] } };
    if (explain.offers.length === OFFERS) return;
    if (Date.now() > deadline) throw new Error(`After ${LIVE_MS_MAX} ms only ${explain.offers.length} of ${OFFERS} offers are live.`);
    await pause(50);
  }
}

/** A quarter are for some shoppers only, by an expression; a quarter about an item; a few for other scenes or with a holdout. */
export function anOffer(index: number, items: number, now: number): OfferInput {
  const saveMinor = 200 + 20 * index;
  const item = itemId((index * 7919) % items);
  const terms: OfferInput['terms'] = index % 4 === 0 ? { kind: 'flash_sale', itemId: item, priceMinor: 900, stock: 100_000, costMinor: saveMinor }
    : index % 4 === 1 ? { kind: 'percentage', basisPoints: 1000 + 20 * index, capMinor: 4 * saveMinor }
      : index % 4 === 2 ? { kind: 'threshold', spendMinor: 10 * saveMinor, saveMinor } : { kind: 'fixed', saveMinor };
  return {
    id: `offer-${index}`, title: `Offer ${index}`, terms, marginMinor: 5000, claimTtlS: 3600,
    window: { startsAt: now - HOUR_MS, endsAt: now + 10 * HOUR_MS }, budget: { moneyMinor: 1e9, count: 1e6 },
    ...index % 4 === 3 ? { eligibility: { expression: EXPRESSIONS[(index >> 2) % EXPRESSIONS.length]! } } : {},
    ...index % 10 === 5 ? { scenes: [SCENES[index % SCENES.length]!] } : {},
    ...index % 10 === 7 ? { holdout: 0.1 } : {},
  };
}

const EXPRESSIONS = ['orders > 0', 'lifecycle in ["new", "active", "loyal"]', 'daysSinceEvent < 60.0 && priceLevel >= 2.0', 'orders == 0 || promotionSensitivity > 0.2'] as const;

async function post(url: string, body: unknown): Promise<unknown> {
  const headers = { 'idempotency-key': randomUUID(), ...body === undefined ? {} : { 'content-type': 'application/json' } };
  const reply = await fetch(url, { method: 'POST', headers, ...body === undefined ? {} : { body: JSON.stringify(body) } });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${url}: ${reply.status} ${text.slice(0, 500)}`);
  return JSON.parse(text);
}
