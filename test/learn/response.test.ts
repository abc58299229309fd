import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { ArchiveWriter } from '../../src/archive/writer.js';
import { OFFER_COLUMN, OFFER_FEATURES } from '../../src/offers/decide/offer-features.js';
import { STAKE_FLOATS } from '../../src/offers/decide/decision-record.js';
import { ResponseExamples, range } from '../../src/learn/response/examples.js';
import { fitPlatt } from '../../src/learn/response/calibrate.js';
import { fitResponse, RESPONSE_SETTINGS } from '../../src/learn/response/fit-response.js';
import { makeResponse } from '../../src/learn/response/make-response.js';
import { calibration, logLoss, measureResponse, prAuc, rocAuc } from '../../src/learn/response/metrics.js';
import { exportResponse, readResponse, scoreExamples } from '../../src/learn/response/network.js';
import { DECISION_EXAMPLES, readDecisionExamples } from '../../src/learn/response/train-on-decisions.js';
import { readResponseFolder } from '../../src/learn/response/train-response.js';
import { USER_FEATURES } from '../../src/profile/vector.js';
import { loadModel } from '../../src/ranking/model.js';
import { gaussian, seededRandom } from '../../src/util/random.js';
import { tempDir } from '../helpers/streams.js';

const ENGINE = { userFeatures: USER_FEATURES, itemFeatures: OFFER_FEATURES };
const SMALL = { ...RESPONSE_SETTINGS, hidden: [16, 8], batch: 64, epochsMax: 8, rate: 0.005 } as const;
const near = (a: number, b: number, by: number): boolean => Math.abs(a - b) <= by;

/** Shoppers who respond by a law that is known: an offer works on those with a positive second feature only. */
function known(count: number, seed: number, userWidth = 4, rowWidth = 3): { examples: ResponseExamples; truth: number[] } {
  const random = seededRandom(seed);
  const examples = new ResponseExamples(userWidth, rowWidth);
  const truth: number[] = [];
  for (let i = 0; i < count; i++) {
    const user = Float32Array.from({ length: userWidth }, () => gaussian(random));
    const row = new Float32Array(rowWidth);
    const isOffer = random() < 0.5 ? 1 : 0;
    row[0] = isOffer;
    const logit = -1 + user[0]! + isOffer * (user[1]! > 0 ? 1.5 : -0.5);
    truth.push(logit);
    examples.add(user, row, random() < 1 / (1 + Math.exp(-logit)) ? 1 : 0);
  }
  return { examples, truth };
}

await t.test('areas, losses and bins by hand; ties gain nothing', async (t) => {
  t.equal(rocAuc([3, 2, 1], [1, 0, 0]), 1);
  t.equal(rocAuc([1, 2, 3], [1, 0, 0]), 0);
  t.equal(rocAuc([1, 1, 1, 1], [1, 0, 0, 1]), 0.5);
  t.equal(rocAuc([1, 2], [1, 1]), 0.5, 'nothing to tell apart');
  t.equal(prAuc([4, 3, 2, 1], [1, 0, 1, 0]), (1 + 2 / 3) / 2);
  t.equal(prAuc([1, 1, 1, 1], [1, 0, 0, 1]), 0.5);
  t.ok(near(logLoss([0, 0], [0, 1]), Math.LN2, 1e-12));
  const logits = Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? Math.log(1 / 3) : Math.log(3)));
  const fair = calibration(logits, logits.map((logit, i) => (logit < 0 ? (i % 8 === 0 ? 1 : 0) : i % 8 === 1 ? 0 : 1)));
  t.equal(fair.bins.length, 10);
  t.equal(fair.bins.reduce((sum, { items }) => sum + items, 0), 1000);
  const { slope, shift } = fitPlatt(Float32Array.from({ length: 4000 }, (_, i) => (i % 2 === 0 ? 2 : -2)), Float32Array.from({ length: 4000 }, (_, i) => (i % 2 === 0 ? (i % 8 === 0 ? 0 : 1) : i % 8 === 1 ? 1 : 0)));
  t.ok(near(2 * slope, Math.log(3), 0.01) && near(shift, 0, 0.01), 'scores that say too much are brought down to what came');
});

await t.test('a known law is found, the same seed gives the same bytes, and a model can be gone on from', async (t) => {
  const { examples, truth } = known(6000, 1);
  const [train, validation] = [examples.pick(range(0, 5000)), examples.pick(range(5000, 6000))];
  const fit = await fitResponse({ train, validation, settings: SMALL, seed: 3 });
  const logits = await scoreExamples(fit.network, validation);
  const error = Math.sqrt(logits.reduce((sum, logit, i) => sum + (logit - truth[5000 + i]!) ** 2, 0) / logits.length);
  t.ok(error < 0.4, `logits are near the true ones (${error.toFixed(2)})`);
  const best = measureResponse(truth.slice(5000), validation.labels);
  t.ok(measureResponse(logits, validation.labels).rocAuc > best.rocAuc - 0.02, 'ranked nearly as well as by the law itself');

  const onnx = exportResponse(fit.network);
  const again = await fitResponse({ train, validation, settings: SMALL, seed: 3 });
  t.ok(Buffer.from(onnx).equals(Buffer.from(exportResponse(again.network))), 'bit for bit');
  const read = readResponse(onnx, { userWidth: 4, rowWidth: 3, hidden: SMALL.hidden })!;
  t.same(await scoreExamples(read, validation), logits, 'read back as it was written');
  t.equal(readResponse(onnx, { userWidth: 4, rowWidth: 3, hidden: [8, 4] }), undefined, 'another shape');
  const further = await fitResponse({ train, validation, settings: { ...SMALL, epochsMax: 1 }, seed: 4, start: read });
  t.ok(further.logLoss <= logLoss(logits, validation.labels) + 1e-6, 'going on makes it no worse');
  t.same(await scoreExamples(read, validation), logits, 'and leaves what it began from alone');
});

await t.test('labels that are all the same and features that are no use make a model that says so', async (t) => {
  const examples = new ResponseExamples(2, 2);
  for (let i = 0; i < 600; i++) examples.add(new Float32Array(2), new Float32Array(2), 0);
  const { network } = await fitResponse({ train: examples, validation: examples, settings: { ...SMALL, epochsMax: 2 }, seed: 1 });
  const [logit] = await scoreExamples(network, examples);
  t.ok(Number.isFinite(logit) && logit! < -3);
});

await t.test('a model folder passes the engine\'s checks; so does the one that ships', async (t) => {
  const out = join(t.testdir(), 'model');
  const part = (seed: number): ResponseExamples => known(300, seed, USER_FEATURES.length, OFFER_FEATURES.length).examples;
  const { manifest } = await makeResponse({
    train: part(1), validation: part(2), test: part(3), out, seed: 5, settings: { ...RESPONSE_SETTINGS, epochsMax: 1 }, command: 'npm run train',
    about: { name: 'tiny', data: { source: 'a test' }, licence: 'none', trainedAt: '2026-01-01T00:00:00.000Z' }, onProgress: () => { /* nobody looks */ },
  });
  for (const folder of [out, 'models/response']) {
    const model = await loadModel(folder, ENGINE);
    const stated = model.manifest.metrics['logitError'];
    t.ok(typeof stated === 'number' && stated >= 0.05 && stated <= 1, `${folder} states its error`);
    t.ok(await readResponseFolder(folder), `${folder} can be gone on from`);
    t.match(await readFile(join(folder, 'README.md'), 'utf8'), /ROC AUC/u);
    await model.retire();
  }
  t.match(manifest.metrics, { test: { model: { rocAuc: Number } }, examples: { train: 300 } });
});

await t.test('an archive\'s decisions become examples, converted when a purchase followed within a day', async (t) => {
  const dir = await tempDir();
  t.teardown(() => dir.remove());
  const start = Date.parse('2026-03-01T00:00:00Z');
  const writer = new ArchiveWriter(dir.path, 'one', () => start);
  const count = DECISION_EXAMPLES.min;
  const decisions = Array.from({ length: count }, (_, i) => {
    const chosen = i % 3 - 1;
    const floats = new Float32Array(USER_FEATURES.length + 1 + OFFER_FEATURES.length + 2 * (STAKE_FLOATS + OFFER_FEATURES.length));
    floats[0] = i;
    const offerAt = USER_FEATURES.length + 1 + OFFER_FEATURES.length + Math.max(0, chosen) * (STAKE_FLOATS + OFFER_FEATURES.length) + STAKE_FLOATS;
    floats[offerAt + OFFER_COLUMN.is_offer] = 1;
    return JSON.stringify({ entry: `${start + i}-0`, decision: { decisionId: `d${i}`, shopper: `u:${i}`, at: start + i, chosen }, vectors: Buffer.from(floats.buffer).toString('base64') });
  });
  await writer.append('decisions', decisions);
  const event = (id: string, shopper: string, type: string, at: number): string => JSON.stringify({ entry: `${at}-0`, event: { id, type, shopper, at } });
  await writer.append('events', [
    event('a', 'u:3', 'purchase', start + 3600_000), event('b', 'u:4', 'view_item', start + 3600_000),
    event('c', 'u:5', 'purchase', start + 2 * 86_400_000), event('d', 'u:6', 'purchase', start), event('e', 'u:0', 'view_item', start + 3 * 86_400_000),
  ]);
  await writer.close();
  const { train, validation, test } = await readDecisionExamples(dir.path, 1);
  t.same([train.size, validation.size, test.size], [700, 150, 150]);
  t.same(Array.from(train.labels.subarray(0, 8)), [0, 0, 0, 1, 0, 0, 0, 0], 'not a view, not days later, not before');
  t.same([0, 1, 2, 3].map((i) => train.rows[i * OFFER_FEATURES.length + OFFER_COLUMN.is_offer]), [0, 1, 1, 0], 'the row of what was chosen');
  t.equal(train.users[5 * USER_FEATURES.length], 5);
  await t.rejects(readDecisionExamples(t.testdir(), 1), { code: 'invalid_request', message: /0 decisions .* needs 1000/u });
});
