import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { emptyStatisticsData, Statistics } from '../../src/candidates/statistics.js';
import { BETWEEN, Catalog } from '../../src/catalog/catalog.js';
import type { Item } from '../../src/domain/item.js';
import { ENCODER_LIMITS } from '../../src/encoder/encoder.js';
import { GraphBuilder } from '../../src/learn/onnx.js';
import { Recommender, type ListRequest, type RankedList } from '../../src/paths/recommend.js';
import { emptyProfile, TOUCH } from '../../src/profile/profile.js';
import { CIRCUIT_LIMITS, type CircuitLimits } from '../../src/ranking/circuit.js';
import { ModelHolder, type ModelEvent } from '../../src/ranking/model-holder.js';
import type { RankedState } from '../../src/redis/impression-log.js';
import { hash48 } from '../../src/util/hash.js';
import { breathe } from '../../src/util/pause.js';
import { seededRandom } from '../../src/util/random.js';
import { randomVectors, writeTestEncoder, type TestEncoderOptions } from '../helpers/encoders.js';
import { ENGINE_FEATURES, writeTestModel } from '../helpers/models.js';

const NOW = Date.UTC(2026, 5, 1);
const ITEMS: Item[] = Array.from({ length: 900 }, (_, i) => ({ id: `item-${i}`, title: `Item ${i}`, category: [`root-${i % 5}`] }));
const VECTORS = randomVectors(ITEMS, 16);

/** Orders by what the encoder says alone. */
const BY_ENCODER = { features: { userFeatures: ENGINE_FEATURES.userFeatures, itemFeatures: ['encoder'] } };

function makeEngine(t: Test, circuit: Partial<CircuitLimits> = {}, items: readonly Item[] = ITEMS) {
  const catalog = new Catalog();
  for (const item of items) catalog.put(item);
  const statistics = new Statistics(emptyStatisticsData(), catalog);
  const events: ModelEvent[] = [];
  const states: RankedState[] = [];
  const model = new ModelHolder({ features: ENGINE_FEATURES, catalog, clock: () => performance.now(), circuit: { ...CIRCUIT_LIMITS, ...circuit }, onEvent: (event) => { events.push(event); } });
  const recommender = new Recommender({
    catalog, statistics: () => statistics, pins: () => [], model, impressions: { add: ({ state }) => { states.push(state); } }, clock: () => NOW,
    random: seededRandom(1), newId: () => 'id', candidatesMax: 200, deadlineMs: 2000, onFault: (error) => { t.fail(String(error)); },
  });
  t.teardown(() => model.close());
  return { catalog, model, recommender, events, states };
}

async function folderWith(t: Test, options: Partial<TestEncoderOptions> = {}, version = '1'): Promise<string> {
  const folder = t.testdir();
  await writeTestModel(folder, { ...BY_ENCODER, version });
  await writeTestEncoder(folder, { vectors: VECTORS, ...options });
  return folder;
}

function request(ids: readonly string[]): ListRequest {
  const profile = { ...emptyProfile(), events: ids.length, touches: ids.map((id) => ({ item: hash48(id), mask: TOUCH.viewed, count: 1, at: NOW })) };
  return {
    shopper: 'u:1', profile, isStored: true, scene: 'home', limit: 3, itemId: undefined, itemIds: undefined, filter: undefined,
    context: undefined, explain: true, shown: new Set(),
  };
}

/** The items with the largest dot product with one item. */
function nearest(id: string, count: number): string[] {
  const vector = (i: number): Float32Array => VECTORS.itemVectors.subarray(i * 16, (i + 1) * 16);
  const own = vector(Number(id.slice('item-'.length)));
  const scores = ITEMS.map((_, i) => vector(i).reduce((sum, value, k) => sum + value * own[k]!, 0));
  return ITEMS.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]!).slice(0, count).map((i) => `item-${i}`);
}

await t.test('what a list was ranked by has a name, but where the catalog was half changed, or was when the encoder was bound', async (t) => {
  const { catalog, model, recommender, states } = makeEngine(t);
  catalog.sequence = 7;
  await model.swap(await folderWith(t));
  const stateAt = async (sequence: number): Promise<RankedState> => {
    catalog.sequence = sequence;
    await recommender.rank(request(['item-3']));
    return states.at(-1)!;
  };
  t.match(await stateAt(8), { events: 1, catalog: 8, encoder: 7 });
  t.equal((await stateAt(BETWEEN)).events, undefined);
  await model.swap(await folderWith(t, {}, '2'));
  t.match(await stateAt(9), { events: undefined, catalog: 9, encoder: BETWEEN }, 'bound in between');
});

await t.test('what the encoder finds in the whole catalog is ranked, and explained', async (t) => {
  const { catalog, model, recommender } = makeEngine(t);
  await model.swap(await folderWith(t));
  for (const id of ['item-3', 'item-444']) {
    const list = await recommender.rank(request([id]));
    t.same(list.degraded, []);
    t.equal(catalog.item(list.items[0]!.row)!.id, nearest(id, 1)[0]);
    t.equal(list.items[0]!.source, 'encoder');
    t.ok(list.items[0]!.explanation!.sources.includes('encoder'));
    t.ok(list.items[0]!.explanation!.features['encoder']! > 1);
    t.equal(list.items[0]!.explanation!.features['encoder_rank'], 0, 'not read by the model, so not worked out');
  }
  const stranger = await recommender.rank(request([]));
  t.same(stranger.degraded, [], 'no history is no fault');
  t.ok(stranger.items.every((item) => item.source !== 'encoder'));
});

await t.test('encoder and ranker change together, while requests are under way', async (t) => {
  const { model, recommender } = makeEngine(t);
  const withEncoder = await folderWith(t, {}, 'with');
  const plain = join(t.testdirName, 'plain');
  await writeTestModel(plain, { version: 'plain' });
  await model.swap(withEncoder);
  const done = new AbortController();
  const lists: RankedList[] = [];
  const traffic = (async () => {
    while (!done.signal.aborted) {
      lists.push(...await Promise.all([1, 2, 3].map((i) => recommender.rank(request([`item-${i}`])))));
      await breathe();
    }
  })();
  for (const folder of [plain, withEncoder, plain]) await model.swap(folder);
  done.abort();
  await traffic;
  t.ok(lists.length > 20);
  t.ok(lists.some((list) => list.model === 'test@with') && lists.some((list) => list.model === 'test@plain'));
  t.ok(lists.every((list) => list.model !== 'fallback'), 'none was dropped');
  const fromEncoder = lists.filter((list) => list.items.some((item) => item.source === 'encoder'));
  t.ok(fromEncoder.every((list) => list.model === 'test@with'), 'no model ranks by the encoder of another');
  t.equal(model.encodes, false);
});

await t.test('without its encoder a model goes on, says so, and tries again after a rest', async (t) => {
  // √ of a negative number is NaN: an encoder that fails for shoppers whose items have one.
  const graph = new GraphBuilder('root');
  graph.input('history', [1, 4, 16]);
  graph.output('user', [1, 16]);
  graph.op('ReduceSum', [graph.op('Sqrt', ['history']), graph.integers('places', [1])], { keepdims: 0 }, 'user');
  const vectors = { ...VECTORS, itemVectors: VECTORS.itemVectors.map((value, i) => (i < 32 ? 4 : value)) };
  const golden = [{ name: 'roots', items: [hash48('item-0')], daysAgo: [0], user: Array.from({ length: 16 }, () => 2) }];
  const { model, recommender, events } = makeEngine(t, { coolDownMs: 50 });
  await model.swap(await folderWith(t, { vectors, onnx: graph.model(), golden }));
  t.same((await recommender.rank(request(['item-0']))).degraded, []);
  const failed = await recommender.rank(request(['item-7']));
  t.same(failed.degraded, ['no_encoder']);
  t.equal(failed.model, 'test@1', 'the ranker ranks what the other sources propose');
  t.equal(failed.items.length, 3);
  t.match(events.at(-1), { kind: 'circuit_opened', reason: /its encoder: .*not finite/ });
  t.same((await recommender.rank(request(['item-0']))).degraded, ['no_encoder'], 'it rests');
  await pause(80);
  t.same((await recommender.rank(request([]))).degraded, [], 'a shopper without a history needs no run');
  t.equal(model.status.encoderCircuit, 'open', 'and so proves nothing');
  t.same((await recommender.rank(request(['item-0']))).degraded, []);
  t.match(events.at(-1), { kind: 'circuit_closed' });
  t.equal(model.status.encoderCircuit, 'closed');
});

await t.test('more runs of the encoder than it has room for say nothing of whether it is well', async (t) => {
  const { model } = makeEngine(t, { coolDownMs: 50, slowMs: 60_000, stallMs: 60_000 });
  await model.swap(await folderWith(t));
  const { profile } = request(['item-3']);
  const results = await Promise.allSettled(Array.from({ length: ENCODER_LIMITS.runsMax + 5 }, () => model.encode(profile, NOW)));
  t.equal(results.filter(({ status }) => status === 'fulfilled').length, ENCODER_LIMITS.runsMax);
  t.match(results.at(-1), { status: 'rejected', reason: { code: 'overloaded' } });
  t.equal(model.status.encoderCircuit, 'closed');
});

await t.test('a model whose encoder is broken is refused, and the one before stays', async (t) => {
  const { model, recommender, events } = makeEngine(t);
  await model.swap(await folderWith(t, {}, 'good'));
  const bad = await folderWith(t, { onnx: Uint8Array.of(1) }, 'bad');
  t.match(await model.swap(bad), { refused: { code: 'model_refused', message: /encoder\.onnx/ } });
  t.match(events.at(-1), { kind: 'refused', folder: bad });
  t.same((await recommender.rank(request(['item-7']))).degraded, []);
});

await t.test('new items of the catalog are found once they are taken up', async (t) => {
  const { catalog, model, recommender } = makeEngine(t, {}, ITEMS.slice(0, 300));
  await model.swap(await folderWith(t));
  const best = nearest('item-3', 1)[0]!;
  const late = ITEMS.slice(300);
  for (const item of late) catalog.put(item);
  await model.refresh();
  const list = await recommender.rank(request(['item-3']));
  t.equal(catalog.item(list.items[0]!.row)!.id, best);
  t.ok(late.some(({ id }) => nearest('item-3', 60).includes(id)));
});
